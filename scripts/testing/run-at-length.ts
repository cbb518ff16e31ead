/** Runs a test whose small form `npm test` has for as long as one likes, from a seed that is printed: what it finds can be played again. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { serverSearchPath } from '../../transports/process/redis-binary.ts';
import { UsageError, type Flag, type Invocation } from '../command.ts';
import { obtainRedis } from '../foundation/obtain-redis.ts';
import { projectRoot } from '../project-root.ts';

export const LENGTH_FLAGS: Readonly<Record<'minutes' | 'seed', Flag>> = {
  minutes: { type: 'string', value: 'N', doc: 'How long, in all; 10 if not given.' },
  seed: { type: 'string', value: 'S', doc: 'A whole number; drawn if not given.' },
};

/** @throws UsageError */
export function readLength(invocation: Invocation): { readonly minutes: number; readonly seed: number } {
  const minutes = Number(invocation.text('minutes') ?? 10);
  const seed = Number(invocation.text('seed') ?? Date.now() % 1_000_000);
  if (!(minutes > 0)) throw new UsageError('--minutes takes a number above 0');
  if (!Number.isSafeInteger(seed)) throw new UsageError('--seed takes a whole number');
  return { minutes, seed };
}

/** `file` is of build/test/. Resolves to whether it passed. */
export async function runAtLength(file: string, minutes: number, seed: number): Promise<boolean> {
  const redis = await obtainRedis({
    cache: process.env['VELLO_CACHE'] ?? join(projectRoot, '.vello', 'cache'),
    searchPath: serverSearchPath(process.env['PATH']),
    signal: new AbortController().signal,
    report: () => undefined,
  });
  const { status } = spawnSync(process.execPath, [join(projectRoot, 'build', 'test', file)], {
    stdio: 'inherit',
    env: {
      ...process.env,
      VELLO_TEST_REDIS_SERVER: redis.path,
      VELLO_FUZZ_MINUTES: String(minutes),
      VELLO_FUZZ_SEED: String(seed),
      TAP_TIMEOUT: '0',
    },
  });
  return status === 0;
}

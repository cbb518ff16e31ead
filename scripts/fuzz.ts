/** `vello fuzz`: the fuzzers of test/fuzz/, which `npm test` runs for seconds, for as long as one likes. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, UsageError, type Command } from './command.ts';
import { count } from './count.ts';
import { serverSearchPath } from '../transports/process/redis-binary.ts';
import { projectRoot } from './project-root.ts';
import { obtainRedis } from './foundation/obtain-redis.ts';

export const command: Command = {
  usage: 'fuzz [name] [--minutes N] [--seed S]',
  doc: 'Runs the fuzzers of test/fuzz/, one after the other, each for an equal part of the time. The seed is printed; the same seed plays the same inputs.',
  flags: {
    minutes: { type: 'string', value: 'N', doc: 'All of them together; 10 if not given.' },
    seed: { type: 'string', value: 'S', doc: 'A whole number; drawn if not given.' },
  },
  operands: 1,
  async run(invocation) {
    const minutes = Number(invocation.text('minutes') ?? 10);
    const seed = Number(invocation.text('seed') ?? Date.now() % 1_000_000);
    if (!(minutes > 0)) throw new UsageError('--minutes takes a number above 0');
    if (!Number.isSafeInteger(seed)) throw new UsageError('--seed takes a whole number');
    const folder = join(projectRoot, 'build', 'test', 'fuzz');
    const suffix = '.test.js';
    const all = readdirSync(folder).filter((file) => file.endsWith(suffix));
    const [name] = invocation.operands;
    const chosen = all.filter((file) => name === undefined || file === `${name}${suffix}`);
    if (chosen.length === 0) {
      const names = all.map((file) => file.slice(0, -suffix.length)).join(', ');
      throw new UsageError(`There is no fuzzer '${name ?? ''}', only ${names}`);
    }
    const redis = await obtainRedis({
      cache: process.env['VELLO_CACHE'] ?? join(projectRoot, '.vello', 'cache'),
      searchPath: serverSearchPath(process.env['PATH']),
      signal: new AbortController().signal,
      report: () => undefined,
    });
    const share = minutes / chosen.length;
    console.log(`seed ${seed}, ${share.toFixed(1)} min each: ${chosen.join(', ')}`);
    for (const file of chosen) {
      const { status } = spawnSync(process.execPath, [join(folder, file)], {
        stdio: 'inherit',
        env: {
          ...process.env,
          VELLO_TEST_REDIS_SERVER: redis.path,
          VELLO_FUZZ_MINUTES: String(share),
          VELLO_FUZZ_SEED: String(seed),
          TAP_TIMEOUT: '0',
        },
      });
      if (status !== 0) throw new CommandError(`${file} found something with seed ${seed}; it is above.`);
    }
    console.log(`\nNothing was found by ${count(chosen.length, 'fuzzer')} with seed ${seed}.`);
    return 0;
  },
};

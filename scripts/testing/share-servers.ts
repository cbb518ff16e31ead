/** What test files share while they run: one PostgreSQL, a Redis program, the speech model. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../transports/process/free-port.ts';
import { postgresUrl, startPostgres } from '../../transports/process/postgres-cluster.ts';
import { identify } from '../../transports/process/process-identity.ts';
import { serverSearchPath } from '../../transports/process/redis-binary.ts';
import type { Progress } from '../progress.mjs';
import { projectRoot } from '../project-root.ts';
import { obtainModel } from '../foundation/obtain-model.ts';
import { obtainRedis } from '../foundation/obtain-redis.ts';

export interface SharedServers {
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** One PostgreSQL for all files, each of which makes a database in it; Redis is started by each file that needs one. */
export async function shareServers(progress: Progress, signal: AbortSignal): Promise<SharedServers> {
  const cache = process.env['VELLO_CACHE'] ?? join(projectRoot, '.vello', 'cache');
  const redis = await progress.step('Redis found', (report) =>
    obtainRedis({ cache, searchPath: serverSearchPath(process.env['PATH']), signal, report }),
  );
  await progress.step('Speech model', (report) => obtainModel({ cache, signal, report }));
  sweepLeftovers();
  const folder = mkdtempSync(join(tmpdir(), `vello-test-${process.pid}-`));
  const options = {
    folder: join(folder, 'postgres'),
    logFile: join(folder, 'postgres.log'),
    port: await findFreePort(),
    password: 'test',
    settings: {
      // Nothing in it outlives the run.
      ...{ fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
      ...{ max_connections: '400', shared_buffers: '128MB' },
    },
  };
  try {
    const postgres = await progress.step('PostgreSQL for the tests', () => startPostgres(options));
    return {
      environment: {
        VELLO_TEST_DATABASE_URL: postgresUrl(options, 'postgres'),
        VELLO_TEST_REDIS_SERVER: redis.path,
        VELLO_CACHE: cache,
      },
      async stop() {
        await postgres.stop(5_000);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Folders of test processes that were killed before they could clean up; the name holds the process id. */
function sweepLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(/^vello-test-(\d+)-/.exec(name)?.[1]);
    if (!Number.isInteger(pid) || identify(pid) !== undefined) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
}

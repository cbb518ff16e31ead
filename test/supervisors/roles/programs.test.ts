import { Redis } from 'ioredis';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createActorSystem } from '../../../actors/kernel/actor-system.ts';
import { NO_BACKOFF } from '../../../supervisors/backoff.ts';
import { programsRole } from '../../../supervisors/roles/programs.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { identify } from '../../../transports/process/process-identity.ts';
import { redisUrl, startRedis, stopOrphanedRedis } from '../../../transports/process/redis-server.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { freePort } from '../../fixtures/free-port.ts';
import { testRedisBinary } from '../../fixtures/redis.ts';
import { createMemoryLog, createMemoryMetrics } from '../../fixtures/silent.ts';
import { temporaryFolder, type Teardown } from '../../fixtures/temporary-folder.ts';

async function describeRedis(t: Teardown) {
  const folder = temporaryFolder(t);
  return {
    binary: testRedisBinary(),
    folder: join(folder, 'redis'),
    logFile: join(folder, 'redis.log'),
    port: await freePort(),
    password: 'test',
    settings: { appendfsync: 'always' },
  };
}

t.test('a program that is killed comes back with its data, and ends with the tree', async (t) => {
  const options = await describeRedis(t);
  const pids: number[] = [];
  const spec = programsRole([
    {
      id: 'redis',
      async start() {
        const program = await startRedis(options);
        pids.push(program.pid);
        return program;
      },
    },
  ]);
  const system = createActorSystem({ clock: systemClock, log: createMemoryLog(), metrics: createMemoryMetrics() });
  system.spawn('programs', supervisorDefinition({ ...spec, backoff: NO_BACKOFF }, { random: () => 0 }));
  const client = new Redis(redisUrl(options), { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  await client.set('kept', 'yes');

  process.kill(pids[0]!, 'SIGKILL');
  const closed = new Promise((resolve) => client.once('close', resolve));
  await closed;
  t.equal(await client.get('kept'), 'yes');
  // It answers the client before it answers whoever started it.
  while (pids.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));

  client.disconnect();
  await system.stop();
  t.strictSame(
    pids.map((pid) => identify(pid)),
    [undefined, undefined],
  );
});

t.test('a program left behind by a killed Vello is found and stopped before its successor starts', async (t) => {
  const options = await describeRedis(t);
  const orphan = await startRedis(options);
  const successor = await startRedis(options);
  t.teardown(() => successor.stop(1_000));
  // The operating system knows of an end before Node.js does.
  t.match(await orphan.ended, /exit code|signal/);
  t.equal(orphan.isRunning(), false);
  t.not(successor.pid, orphan.pid);
});

t.test('a process that only got the id of a dead program is left alone, be it another Redis', async (t) => {
  const stranger = await startRedis(await describeRedis(t));
  t.teardown(() => stranger.stop(1_000));
  const options = await describeRedis(t);
  mkdirSync(options.folder, { recursive: true });
  for (const pid of [process.pid, stranger.pid]) {
    writeFileSync(join(options.folder, 'redis.pid'), `${pid}\n`);
    t.equal(await stopOrphanedRedis(options.folder), false);
  }
  t.equal(stranger.isRunning(), true);
});

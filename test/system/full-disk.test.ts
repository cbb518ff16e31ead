/**
 * A gateway on a disk that is really full: it lives, its events go to the stream or wait, and an end that loses some says which. Needs a
 * namespace of its own to mount a small disk in, which a machine may refuse.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { eventually, openTestStreams } from '../fixtures/event-streams-on-redis.ts';
import { ask, startCountingProvider, startGatewayProcess } from '../fixtures/gateway-process.ts';
import { startRedis } from '../fixtures/redis.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const mayMount = spawnSync('unshare', ['-rm', 'true']).status === 0;

/** To the last byte. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  for (let size = 65_536; size >= 1;) {
    try {
      writeSync(file, Buffer.alloc(size));
    } catch {
      size = size >> 1;
    }
  }
  closeSync(file);
}

t.test(
  'on a full disk the gateway goes on, and an end that loses events names them and exits with code 3',
  { skip: mayMount ? false : 'no namespaces here (unshare -rm)' },
  async (t) => {
    const redis = await startRedis(t);
    const streams = await openTestStreams(t, redis);
    const provider = await startCountingProvider(t, 5);
    const home = join(temporaryFolder(t), 'home');
    const mount = 'mkdir -p "$0" && mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"';
    const gateway = await startGatewayProcess(t, redis.url, provider.url, {
      home,
      environment: { VELLO_GATEWAY_ADMISSION: 'open', VELLO_DRAIN_MS: '3000' },
      wrapper: ['unshare', '-rm', 'sh', '-c', mount, home],
    });
    // The disk as the gateway sees it.
    const disk = `/proc/${gateway.pid}/root${home}`;
    const filler = join(disk, 'filler');
    const spooled = () => readFileSync(join(disk, 'gateway', 'events.spool'), 'utf8');
    const areOnStream = async (sessions: readonly string[]) => {
      const there = new Set((await streams.entries('transcribe')).map(({ session_id = '' }) => session_id));
      return sessions.every((session) => there.has(session));
    };
    const answered = async (count: number) => {
      const asked = Array.from({ length: count }, () => ask(gateway, 'anybody', 'transcription'));
      const sessions = (await Promise.all(asked)).filter((session) => session !== undefined);
      t.equal(sessions.length, count, 'all are answered');
      return sessions;
    };

    const first = await answered(1);
    await eventually(() => areOnStream(first));
    fill(filler);
    // More than fits into the block that the spool has already.
    const onFullDisk = await answered(30);
    await eventually(() => areOnStream(onFullDisk));
    t.ok(
      onFullDisk.some((session) => !spooled().includes(session)),
      'the stream alone made them durable',
    );

    redis.freeze();
    const waiting = await answered(30);
    t.ok(waiting.some((session) => !spooled().includes(session)));
    rmSync(filler);
    await eventually(() => waiting.every((session) => spooled().includes(session)));
    t.pass('the disk takes what waited once it has room');
    redis.thaw();
    await eventually(() => areOnStream(waiting));

    fill(filler);
    redis.freeze();
    const doomed = await answered(60);
    const lost = doomed.filter((session) => !spooled().includes(session));
    t.ok(lost.length > 0);
    gateway.signal('SIGTERM');
    t.equal(await gateway.ended, 3);
    const [, named = ''] = /"eventIds":\[([^\]]*)\]/.exec(gateway.output()) ?? [];
    t.equal(named.split(',').length, lost.length, gateway.output().slice(-2000));
    redis.thaw();
  },
);

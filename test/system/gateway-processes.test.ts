/** Several gateway processes on one port: they share the work, follow each other without a failed request, and lose nothing when one dies. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ActorSnapshot, SystemSnapshot } from '../../actors/kernel/snapshot.ts';
import { eventually, openTestStreams, type TestStreams } from '../fixtures/event-streams-on-redis.ts';
import { ask, startCountingProvider, startGatewayProcess, type RequestKind } from '../fixtures/gateway-process.ts';
import { startRedis } from '../fixtures/redis.ts';
import { runVelloCommand, startVello, type VelloProcess } from '../fixtures/vello-process.ts';
import { identify } from '../../transports/process/process-identity.ts';

const KINDS: readonly RequestKind[] = ['transcription', 'chat', 'stream'];
t.setTimeout(120_000);

const OPEN = { VELLO_GATEWAY_ADMISSION: 'open' };

async function setUp(t: Test) {
  const redis = await startRedis(t);
  const provider = await startCountingProvider(t, 30);
  const streams = await openTestStreams(t, redis);
  const start = (processes?: number, options: { home?: string; environment?: Record<string, string> } = {}) =>
    startGatewayProcess(t, redis.url, provider.url, {
      ...options,
      ...(processes !== undefined && { processes }),
      environment: { ...OPEN, ...options.environment },
    });
  return { redis, provider, streams, start };
}

/** Asks without a pause, `atOnce` at a time. */
function load(gateway: VelloProcess, atOnce: number) {
  const answered: string[] = [];
  let failed = 0;
  let isOver = false;
  const asking = Array.from({ length: atOnce }, async (_, n) => {
    for (let turn = n; !isOver; turn += 1) {
      const session = await ask(gateway, 'anybody', KINDS[turn % KINDS.length] ?? 'chat');
      if (session === undefined) failed += 1;
      else answered.push(session);
    }
  });
  return {
    answered,
    failed: () => failed,
    more: (count: number) => {
      const from = answered.length;
      return eventually(() => answered.length >= from + count);
    },
    end: async () => {
      isOver = true;
      await Promise.all(asking);
    },
  };
}

const admin = async (gateway: VelloProcess, path: string) =>
  (await fetch(`http://127.0.0.1:${gateway.ports.admin}${path}`)).text();

/** What is known of each process that serves. */
async function processesOf(gateway: VelloProcess): Promise<{ id: string; pid: number; slot: number }[]> {
  const { tree } = JSON.parse(await admin(gateway, '/actors')) as SystemSnapshot;
  const under = (actors: readonly ActorSnapshot[] | undefined, id: string) =>
    actors?.find((actor) => actor.id === id)?.children;
  const children = under(under(tree, 'vello'), 'gateway') ?? [];
  return children
    .filter(({ id, status }) => id.startsWith('process-') && status === 'running')
    .map(({ id, facts }) => ({ id, pid: Number(facts?.['pid']), slot: Number(facts?.['slot']) }));
}

/** Outcomes on the streams by session. */
async function outcomesOf(streams: TestStreams): Promise<Map<string, string[]>> {
  const outcomes = new Map<string, string[]>();
  for (const kind of ['transcribe', 'process'] as const) {
    for (const { session_id: session = '', outcome = '' } of await streams.entries(kind)) {
      outcomes.set(session, [...(outcomes.get(session) ?? []), outcome]);
    }
  }
  return outcomes;
}

t.test('processes are replaced one by one under load: no request fails, and each has its event', async (t) => {
  const { streams, start } = await setUp(t);
  const gateway = await start(2, { environment: { VELLO_DRAIN_MS: '10000' } });
  const before = await processesOf(gateway);
  t.strictSame(
    before.map(({ slot }) => slot),
    [1, 2],
  );
  const work = load(gateway, 8);
  await work.more(50);
  const restart = await runVelloCommand(gateway.home, ['restart']);
  t.equal(restart.code, 0, restart.output);
  t.match(restart.output, /Gateway processes replaced/);
  await work.more(50);
  const after = await processesOf(gateway);
  for (const { pid } of before) {
    t.notOk(after.some((process) => process.pid === pid));
    t.equal(identify(pid), undefined);
  }
  gateway.signal('SIGUSR2');
  await eventually(async () => (await processesOf(gateway)).every(({ pid }) => !after.some((old) => old.pid === pid)));
  await work.more(50);
  await work.end();
  t.equal(work.failed(), 0, `of ${work.answered.length}`);
  t.match(await admin(gateway, '/health/ready'), '"status":"ready"');
  t.match(await admin(gateway, '/metrics'), /^vello_gateway_requests_total\{slot="\d",.*\} \d+$/m);

  gateway.signal('SIGTERM');
  t.equal(await gateway.ended, 0);
  const outcomes = await outcomesOf(streams);
  t.strictSame(
    work.answered.filter((session) => outcomes.get(session)?.join() !== 'ok'),
    [],
    'each answered request is on its stream once',
  );
  t.equal(outcomes.size, work.answered.length);
});

t.test('new connections are spread over the processes', async (t) => {
  const { start } = await setUp(t);
  const gateway = await start(3);
  const url = `http://127.0.0.1:${gateway.ports.gateway}/v1/chat/completions`;
  const headers = { connection: 'close', 'content-type': 'application/json' };
  const body = JSON.stringify({ model: 'm', messages: [] });
  for (let n = 0; n < 30; n += 1) {
    const some = Array.from({ length: 10 }, async () => (await fetch(url, { method: 'POST', headers, body })).text());
    await Promise.all(some);
  }
  const bySlot = new Map<string, number>();
  for (const [, slot = '', count = ''] of (await admin(gateway, '/metrics')).matchAll(
    /^vello_gateway_requests_total\{slot="(\d)",.*\} (\d+)$/gm,
  )) {
    bySlot.set(slot, (bySlot.get(slot) ?? 0) + Number(count));
  }
  t.comment([...bySlot.values()].join(' '));
  t.equal(bySlot.size, 3);
  // Of 300, 100 each; less than 60 is five standard deviations off.
  for (const count of bySlot.values()) t.ok(count > 60, String(count));
});

t.test('a process that is killed costs its own requests, which are reported, and is there again', async (t) => {
  const { provider, streams, start } = await setUp(t);
  const gateway = await start(2);
  const work = load(gateway, 12);
  await work.more(50);
  const [victim, other] = await processesOf(gateway);
  process.kill(victim?.pid ?? 0, 'SIGKILL');
  await work.more(100);
  t.ok(work.failed() <= 12, `${work.failed()} failed`);
  await eventually(async () => {
    const now = await processesOf(gateway);
    return now.length === 2 && now.every(({ pid }) => pid !== victim?.pid);
  });
  t.ok(
    (await processesOf(gateway)).some(({ pid }) => pid === other?.pid),
    'the other was left alone',
  );
  const failedByThen = work.failed();
  await work.more(50);
  await work.end();
  t.equal(work.failed(), failedByThen);
  await eventually(async () => {
    const outcomes = await outcomesOf(streams);
    return [...provider.seen, ...work.answered].every((session) => outcomes.has(session));
  });
  const outcomes = await outcomesOf(streams);
  t.strictSame(
    [...outcomes.values()].filter((each) => each.length !== 1),
    [],
  );
  gateway.signal('SIGTERM');
  t.equal(await gateway.ended, 0);
});

t.test('what several gateways could not send is sent by the one that follows them', async (t) => {
  const { redis, streams, start } = await setUp(t);
  const several = await start(2);
  await redis.stop();
  const sessions = await Promise.all(Array.from({ length: 40 }, () => ask(several, 'anybody', 'chat')));
  t.notOk(sessions.includes(undefined));
  several.signal('SIGTERM');
  t.equal(await several.ended, 0, 'all of it is on disk');
  const folder = join(several.home, 'gateway');
  t.ok(readdirSync(join(folder, '2')).includes('events.spool'));
  await redis.restart();
  const alone = await start(undefined, { home: several.home });
  await eventually(async () => (await outcomesOf(streams)).size === 40);
  t.notOk(readdirSync(folder).includes('2'));
  const refused = await runVelloCommand(several.home, ['restart']);
  t.equal(refused.code, 1);
  t.match(refused.output, /is one process/);
  alone.signal('SIGUSR2');
  t.ok(await ask(alone, 'anybody', 'chat'), 'it does not end by it');
  alone.signal('SIGTERM');
  t.equal(await alone.ended, 0);
});

t.test('a stranger does not get among them, and no process outlives a Vello that was killed', async (t) => {
  const { start } = await setUp(t);
  const gateway = await start(2);
  const { gateway: port } = gateway.ports;
  const environment = { VELLO_REDIS_URL: 'redis://127.0.0.1:1', VELLO_GATEWAY_LISTEN: `127.0.0.1:${port}` };
  for (const args of [[], ['--processes', '2']]) {
    const stranger = await startVello(t, ['--roles', 'gateway', ...args], { environment });
    t.equal(await stranger.ended, 1);
    t.match(stranger.output(), new RegExp(`127.0.0.1:${port} .* is in use by another program`));
  }
  const before = await processesOf(gateway);
  const session = ask(gateway, 'anybody', 'chat');
  gateway.signal('SIGKILL');
  t.ok(await session, 'what was under way is answered');
  const next = await start(1, { home: gateway.home });
  for (const { pid } of before) t.equal(identify(pid), undefined);
  t.match(await processesOf(next), [{ slot: 1 }]);
  next.signal('SIGINT');
  t.equal(await next.ended, 0);
});

t.test('--processes is for the gateway alone', async (t) => {
  for (const [args, said] of [
    [['--processes', '2'], /add --roles gateway/],
    [['--roles', 'gateway,collector', '--processes', '2'], /for the gateway alone/],
    [['--roles', 'gateway', '--processes', '0'], /from 1 to 64/],
    [['--roles', 'gateway', '--processes', 'many'], /from 1 to 64/],
  ] as const) {
    const vello = await startVello(t, args);
    t.equal(await vello.ended, 2);
    t.match(vello.output(), said);
  }
});

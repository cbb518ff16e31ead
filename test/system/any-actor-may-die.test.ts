/** Whatever actor of a running Vello dies, under load: no event is lost, none is billed twice, and the tree is whole again soon. */
import { Redis } from 'ioredis';
import t from 'tap';
import type { ActorSnapshot } from '../../actors/kernel/snapshot.ts';
import type { LiveActor } from '../../actors/kernel/kernel.ts';
import { streamKey } from '../../config/streams.ts';
import { insertAccount } from '../fixtures/account.ts';
import { packedRecording } from '../fixtures/recordings.ts';
import { runVello } from '../fixtures/running-vello.ts';
import { usageEventFields } from '../fixtures/usage-event.ts';

t.setTimeout(240_000);

const KILLS = 100;
/** Of each kind one role; a second loss of a role within the minute would come near the budget of the root, which is there to end it. */
const ROLE_KILLS = 2;
/** What an actor may take to come back: its backoff, a store's reconnect, and the loading of a model on a machine that is busy. */
const WHOLE_WITHIN_MS = 60_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Every actor below `node` that is alive, and every child that is not up. */
function survey(node: ActorSnapshot): { living: string[]; missing: string[] } {
  const below = (node.children ?? []).map(survey);
  const isUp = ['running', 'busy'].includes(node.status);
  return {
    living: [...(isUp ? [node.path] : []), ...below.flatMap(({ living }) => living)],
    missing: [...(isUp ? [] : [`${node.path} ${node.status}`]), ...below.flatMap(({ missing }) => missing)],
  };
}

t.test('a hundred actors die one after another, at random', async (t) => {
  const vello = await runVello(t, { roles: ['api', 'gateway', 'collector', 'inference'] });
  const { system, database } = vello;
  const redis = new Redis(vello.redis.url);
  t.teardown(() => redis.disconnect());
  const account = await insertAccount(database, { balance: 1_000_000 });

  const load = new AbortController();
  const desktop = vello.desktop();
  const { userId } = await desktop.register();
  const bytes = packedRecording('garden-start-flac.oga');
  const heard: string[] = [];
  const speaking = (async () => {
    while (!load.signal.aborted) {
      try {
        const transcription = desktop.transcribe(bytes, {
          ...{ model: 'moonshine-tiny', fileName: 'garden-start-flac.oga' },
          signal: AbortSignal.timeout(60_000),
        });
        for await (const _ of transcription);
        heard.push(transcription.sessionId);
      } catch {
        // What served it has just died: the desktop is told, and speaks again.
      }
      await pause(200);
    }
  })();

  const sent: string[] = [];
  const sending = (async () => {
    while (!load.signal.aborted) {
      const event = usageEventFields({ ...account, audioSeconds: 9 });
      await redis.xadd(streamKey('transcribe'), '*', ...Object.entries(event).flat());
      sent.push(event.event_id);
      await pause(25);
    }
  })();

  const isReady = () =>
    fetch(`${vello.adminUrl}/health/ready`, { signal: AbortSignal.timeout(2000) }).then(
      ({ status }) => status === 200,
      () => false,
    );

  const whole = async (): Promise<string[]> => {
    const startedMs = performance.now();
    for (;;) {
      const [root] = system.snapshot().tree;
      if (root === undefined) throw new Error('the root gave up');
      const { living, missing } = survey(root);
      if (missing.length === 0 && (await isReady())) return living;
      if (performance.now() - startedMs > WHOLE_WITHIN_MS) throw new Error(`still missing: ${missing.join(', ')}`);
      await pause(20);
    }
  };

  const expected = (await whole()).sort();
  let roleKills = 0;
  let slowestMs = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const living = await whole();
    const candidates = living.filter((path) => {
      const depth = path.split('/').length;
      return depth > 2 || (depth === 2 && roleKills < ROLE_KILLS);
    });
    const victim = candidates[Math.floor(Math.random() * candidates.length)] ?? '';
    if (victim.split('/').length === 2) roleKills += 1;
    const actor = system.resolve(victim) as unknown as LiveActor;
    // As a defect would end it, and as the watchdog would.
    if (kill % 2 === 0) actor.requestStop({ kind: 'crashed', error: new Error('killed by the test') });
    else actor.kill('by the test');
    const startedMs = performance.now();
    await whole();
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
  }
  t.strictSame((await whole()).sort(), expected, 'the tree is what it was');

  load.abort();
  await Promise.all([sending, speaking]);
  t.comment(
    `slowest return: ${Math.round(slowestMs)} ms; ${sent.length} events, ${heard.length} transcriptions meanwhile`,
  );

  const jobs = async () =>
    Number((await database`select count(*) from jobs where user_id = ${account.userId}`)[0]?.['count']);
  const jobsBySession = async () => {
    const rows =
      await database`select session_id, count(*)::int from jobs where user_id = ${userId} group by session_id`;
    return new Map(rows.map(({ session_id, count }) => [String(session_id), Number(count)]));
  };
  const isSettled = async () => {
    const bySession = await jobsBySession();
    return (await jobs()) >= sent.length && heard.every((sessionId) => bySession.has(sessionId));
  };
  for (const startedMs = performance.now(); !(await isSettled()); await pause(50)) {
    if (performance.now() - startedMs > 60_000) break;
  }
  t.equal(await jobs(), sent.length, 'each event is one job');
  const [charged] = await database`select count(*) as charges, sum(delta) as total from credit_transactions
    where user_id = ${account.userId} and kind = 'charge'`;
  t.match(charged, { charges: String(sent.length), total: String(-50 * sent.length) }, 'and one charge');
  const bySession = await jobsBySession();
  t.ok(heard.length > 0, 'the desktop was heard');
  t.same(
    heard.filter((sessionId) => bySession.get(sessionId) !== 1),
    [],
    'each transcription that was heard is one job',
  );
  t.same(
    [...bySession].filter(([, count]) => count > 1),
    [],
    'none is two',
  );
  t.equal(await redis.xlen(streamKey('dead')), 0);
  await vello.stop();
  t.equal(system.snapshot().liveActors, 0, 'nothing is left after the stop');
});

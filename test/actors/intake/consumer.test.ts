/** A collector on streams in memory, an api that does as it is told, and a clock that stands still. */
import t from 'tap';
import type { AbandonedEvent, AddedJob, JobsApi } from '../../../actors/intake/jobs-api.ts';
import { VelloError } from '../../../config/errors.ts';
import { collectorRole } from '../../../supervisors/roles/collector.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createMemoryEventStreams } from '../../fixtures/memory-event-streams.ts';
import { pass, settled } from '../../fixtures/settled.ts';

type Fields = Readonly<Record<string, string>>;

function createCollector() {
  const test = createTestSystem();
  const streams = createMemoryEventStreams(test.clock);
  const posts: (readonly Fields[])[] = [];
  const recorded: AbandonedEvent[] = [];
  const answers = {
    add: async (events: readonly Fields[]): Promise<readonly AddedJob[]> => events.map(() => job),
    record: async (): Promise<void> => undefined,
  };
  const api: JobsApi = {
    addJobs: async (events) => {
      posts.push(events);
      return answers.add(events);
    },
    recordDeadLetters: async (events) => {
      await answers.record();
      recorded.push(...events);
    },
  };
  const start = (consumer: string) => {
    const spec = collectorRole({ streams, api, metrics: test.metrics, consumer });
    return test.system.spawn(consumer, supervisorDefinition(spec, { random: () => 0 }));
  };
  const ids = () => posts.map((events) => events.map(({ event_id }) => event_id));
  return { ...test, streams, posts, ids, recorded, answers, start };
}

const job = { kind: 'job', jobId: 'j', creditsDeducted: 1, duplicate: false } as const;
const down = async () => Promise.reject(new VelloError('API_UNREACHABLE'));

t.test('an event is posted, and acknowledged only once the api has answered', async (t) => {
  const { streams, answers, start, posts, system } = createCollector();
  let commit: (() => void) | undefined;
  answers.add = (events) => new Promise((resolve) => (commit = () => resolve(events.map(() => job))));
  start('a');
  streams.append('transcribe', { event_id: '1', v: '1' });
  await settled();
  t.same(posts, [[{ event_id: '1', v: '1' }]]);
  t.equal(streams.entries('transcribe').length, 1, 'still there while the api works');
  commit?.();
  await settled();
  t.same(streams.entries('transcribe'), []);
  await system.stop();
});

t.test('events of all three streams are settled, many in one post', async (t) => {
  const { streams, start, posts, system, metrics } = createCollector();
  for (let n = 0; n < 250; n += 1) streams.append('transcribe', { event_id: `t${n}` });
  streams.append('process', { event_id: 'p' });
  streams.append('dlq', { event_id: 'd', attempt: '1', not_before: '0' });
  start('a');
  await settled(20);
  t.same(
    posts.map(({ length }) => length).sort((a, b) => a - b),
    [1, 1, 50, 100, 100],
  );
  for (const kind of ['transcribe', 'process', 'dlq'] as const) t.same(streams.entries(kind), []);
  t.equal(metrics.value('vello_events_total', { stream: 'transcribe', outcome: 'settled' }), 250);
  await system.stop();
});

t.test(
  'while the api is away an event waits 5, 15 and 45 seconds in the dlq, then it is dead, with every attempt',
  async (t) => {
    const { streams, answers, start, posts, clock, system, recorded } = createCollector();
    answers.add = down;
    answers.record = down;
    start('a');
    const id = streams.append('transcribe', { event_id: '1' });
    await settled();
    for (const [waitMs, runs] of [
      [5000, 1],
      [15_000, 2],
      [45_000, 3],
    ] as const) {
      t.equal(posts.length, runs);
      t.match(streams.entries('dlq'), [{ fields: { attempt: String(runs), error: 'API_UNREACHABLE' } }]);
      await pass(clock, waitMs - 50);
      t.equal(posts.length, runs, `not before ${waitMs} ms`);
      await pass(clock, 50);
    }
    t.equal(posts.length, 4);
    t.same(posts.at(-1), [{ event_id: '1' }], 'the api sees the event as the gateway wrote it');
    t.same(streams.entries('dlq'), []);
    t.match(streams.entries('dead'), [{ fields: { attempt: '4', origin_stream: 'modelsgateway:events:transcribe' } }]);
    t.same(recorded, []);

    answers.record = async () => undefined;
    await pass(clock, 5000);
    t.match(recorded, [
      {
        stream: 'modelsgateway:events:transcribe',
        entryId: id,
        fields: { event_id: '1' },
        errorCode: 'API_UNREACHABLE',
        attempts: [{ attempt: 1 }, { attempt: 2 }, { attempt: 3 }, { attempt: 4 }],
      },
    ]);
    t.equal(streams.entries('dead').length, 1, 'kept for the operator');
    t.equal(streams.pending('dead'), 0);
    await system.stop();
  },
);

t.test('an event that comes through on a retry is settled and gone', async (t) => {
  const { streams, answers, start, clock, system } = createCollector();
  answers.add = down;
  start('a');
  streams.append('process', { event_id: '1' });
  await settled();
  answers.add = async (events) => events.map(() => job);
  await pass(clock, 5000);
  t.same([...streams.entries('process'), ...streams.entries('dlq'), ...streams.entries('dead')], []);
  await system.stop();
});

t.test('each event of a batch has its own fate', async (t) => {
  const { streams, answers, start, system } = createCollector();
  answers.add = async (events) =>
    events.map(({ event_id }) => {
      if (event_id === 'bad') return { kind: 'refused', status: 422, code: 'EVENT_MALFORMED' };
      if (event_id === 'later') return { kind: 'refused', status: 503, code: 'UNAVAILABLE' };
      return job;
    });
  for (const event_id of ['1', 'bad', 'later', '2']) streams.append('transcribe', { event_id });
  start('a');
  await settled();
  t.same(streams.entries('transcribe'), []);
  t.match(streams.entries('dead'), [{ fields: { event_id: 'bad', error: 'EVENT_MALFORMED', attempt: '1' } }]);
  t.match(streams.entries('dlq'), [{ fields: { event_id: 'later', error: 'UNAVAILABLE', attempt: '1' } }]);
  await system.stop();
});

t.test('a batch that is refused as a whole is asked about in parts, until the culprit is alone', async (t) => {
  const { streams, answers, start, system } = createCollector();
  answers.add = async (events) => {
    if (events.some(({ event_id }) => event_id === '13')) throw new VelloError('API_REJECTED');
    return events.map(() => job);
  };
  for (let n = 0; n < 40; n += 1) streams.append('transcribe', { event_id: String(n) });
  start('a');
  await settled(30);
  t.same(streams.entries('transcribe'), []);
  t.match(
    streams.entries('dead').map(({ fields }) => fields['event_id']),
    ['13'],
  );
  await system.stop();
});

t.test('a refused key touches no event: the line restarts with backoff and goes on when the key is good', async (t) => {
  const { streams, answers, start, posts, clock, system, log } = createCollector();
  answers.add = async () => Promise.reject(new VelloError('SERVICE_KEY_REFUSED'));
  start('a');
  for (let n = 0; n < 300; n += 1) streams.append('transcribe', { event_id: String(n) });
  await settled();
  const first = posts.length;
  await pass(clock, 60_000);
  const tries = posts.length - first;
  t.ok(tries >= 3 && tries <= 25, `${tries} tries in a minute`);
  t.equal(streams.entries('transcribe').length, 300);
  t.same([...streams.entries('dlq'), ...streams.entries('dead')], []);
  t.equal(system.resolve('a/process/reader') === undefined, false, 'the other lines go on');

  answers.add = async (events) => events.map(() => job);
  await pass(clock, 60_000);
  t.same(streams.entries('transcribe'), []);
  t.notOk(
    log.lines.some(({ fields }) => fields['type'] === 'supervisor'),
    'no budget was used up',
  );
  await system.stop();
});

t.test('an orderly end finishes the post under way and gives up the rest at once, uncounted', async (t) => {
  const { streams, answers, start, system } = createCollector();
  const commits: (() => void)[] = [];
  answers.add = (events) => new Promise((resolve) => commits.push(() => resolve(events.map(() => job))));
  start('a');
  for (let n = 0; n < 500; n += 1) streams.append('transcribe', { event_id: String(n) });
  await settled();
  t.equal(commits.length, 4, 'four workers are busy');
  const stopping = system.stop();
  await settled();
  commits.forEach((commit) => commit());
  await stopping;
  t.equal(streams.entries('transcribe').length, 100);

  const next = await streams.open('transcribe');
  const { entries } = await next.claim('b', { minIdleMs: 30_000, maxDeliveries: 3, aloneFrom: 3, count: 1000 });
  const fresh = await next.read('b', 1000, 0);
  t.equal(entries.length + fresh.length, 100);
  t.ok(entries.every(({ deliveries }) => deliveries === 1));
});

t.test(
  'takes over what a dead consumer left once its lease has run out, together at first, alone at last',
  async (t) => {
    const { streams, start, clock, ids, system } = createCollector();
    const dead = await streams.open('transcribe');
    for (const event_id of ['1', '2', '3']) streams.append('transcribe', { event_id });
    await dead.read('dead', 3, 0);
    start('a');
    await pass(clock, 9_900);
    t.same(ids(), []);
    await pass(clock, 1_100);
    t.same(ids(), [['1', '2', '3']]);
    t.same(streams.entries('transcribe'), []);

    for (const event_id of ['4', '5', '6']) streams.append('transcribe', { event_id });
    await dead.read('dead', 3, 0);
    clock.advance(30_000);
    await dead.claim('dead too', { minIdleMs: 30_000, maxDeliveries: 3, aloneFrom: 3, count: 3 });
    await pass(clock, 36_000);
    t.same(ids().slice(1), [['4'], ['5'], ['6']]);
    t.same(streams.entries('transcribe'), []);
    await system.stop();
  },
);

t.test('an entry that killed three consumers is buried unrun, and recorded', async (t) => {
  const { streams, start, clock, ids, system, recorded, metrics } = createCollector();
  const stream = await streams.open('transcribe');
  streams.append('transcribe', { event_id: 'poison' });
  await stream.read('c1', 1, 0);
  for (const consumer of ['c2', 'c3']) {
    clock.advance(30_000);
    await stream.claim(consumer, { minIdleMs: 30_000, maxDeliveries: 3, aloneFrom: 3, count: 1 });
  }
  clock.advance(30_000);
  start('a');
  await settled();
  t.same(ids(), []);
  t.match(recorded, [{ fields: { event_id: 'poison' }, errorCode: 'CRASH_LOOP' }]);
  t.equal(metrics.value('vello_events_total', { stream: 'transcribe', outcome: 'buried' }), 1);
  await system.stop();
});

t.test('what the consumer owns without knowing it is found within seconds, on every line', async (t) => {
  for (const kind of ['transcribe', 'process', 'dlq'] as const) {
    const { streams, start, clock, ids, system } = createCollector();
    start('a');
    await settled();
    // As if the answer to a read had been lost on its way.
    const lost = await streams.open(kind);
    streams.append(kind, { event_id: '1' });
    await lost.read('a', 1, 0);
    await pass(clock, 3000);
    t.same(ids(), [['1']], kind);
    t.same(streams.entries(kind), [], kind);
    await system.stop();
  }
});

t.test('entries under way stay their consumer’s for as long as it lives', async (t) => {
  const { streams, answers, start, clock, system } = createCollector();
  let commit: (() => void) | undefined;
  answers.add = (events) => new Promise((resolve) => (commit = () => resolve(events.map(() => job))));
  start('a');
  streams.append('transcribe', { event_id: '1' });
  await settled();
  await pass(clock, 25_000);
  const other = await streams.open('transcribe');
  const claimed = await other.claim('b', { minIdleMs: 10_000, maxDeliveries: 3, aloneFrom: 3, count: 1 });
  t.same(claimed.entries, []);
  commit?.();
  await settled();
  await system.stop();
});

t.test('what the api refuses to record is not taken for recorded', async (t) => {
  const { streams, answers, start, clock, system, log } = createCollector();
  answers.record = async () => Promise.reject(new VelloError('API_REJECTED'));
  start('a');
  streams.append('dead', { event_id: '1' });
  await settled();
  await pass(clock, 60_000);
  t.equal(streams.pending('dead'), 1, 'so that discarding it is refused');
  t.equal(log.lines.filter(({ message }) => message.startsWith('the api refuses')).length, 1);
  await system.stop();
});

t.test('what the recorder owns without knowing it is found within seconds', async (t) => {
  const { streams, start, clock, recorded, system } = createCollector();
  start('a');
  await settled();
  const lost = await streams.open('dead');
  streams.append('dead', { event_id: '1' });
  await lost.read('a', 1, 0);
  await pass(clock, 5000);
  t.match(recorded, [{ fields: { event_id: '1' } }]);
  t.equal(streams.pending('dead'), 0);
  await system.stop();
});

t.test(
  'an event that fails in a way nobody foresaw is retried and abandoned alone, its neighbours are settled',
  async (t) => {
    const { streams, answers, start, clock, posts, system, recorded } = createCollector();
    answers.add = async (events) => {
      if (events.some(({ event_id }) => event_id === '2')) throw new TypeError('a defect');
      return events.map(() => job);
    };
    for (const event_id of ['1', '2', '3']) streams.append('transcribe', { event_id });
    start('a');
    await settled();
    t.same(streams.entries('transcribe'), []);
    t.match(streams.entries('dlq'), [{ fields: { event_id: '2', attempt: '1', error: 'INTERNAL' } }]);
    await pass(clock, 70_000);
    t.match(recorded, [{ fields: { event_id: '2' }, errorCode: 'INTERNAL' }]);
    t.ok(posts.length > 3);
    await system.stop();
  },
);

t.test('a defect of ours that spares no event gives none up: the line waits', async (t) => {
  const { streams, answers, start, clock, system } = createCollector();
  answers.add = async () => Promise.reject(new TypeError('a defect'));
  for (const event_id of ['1', '2', '3']) streams.append('transcribe', { event_id });
  start('a');
  await pass(clock, 120_000);
  t.equal(streams.entries('transcribe').length, 3);
  t.same([...streams.entries('dlq'), ...streams.entries('dead')], []);
  answers.add = async (events) => events.map(() => job);
  await pass(clock, 5000);
  t.same(streams.entries('transcribe'), []);
  await system.stop();
});

t.test('a paused line resumes within five seconds of the repair', async (t) => {
  const { streams, answers, start, clock, system } = createCollector();
  answers.add = async () => Promise.reject(new VelloError('SERVICE_KEY_REFUSED'));
  start('a');
  streams.append('transcribe', { event_id: '1' });
  await pass(clock, 120_000);
  answers.add = async (events) => events.map(() => job);
  await pass(clock, 5000);
  t.same(streams.entries('transcribe'), []);
  await system.stop();
});

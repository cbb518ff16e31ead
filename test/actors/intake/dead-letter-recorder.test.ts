/** What becomes of abandoned events, on a stream in memory and an api that does as it is told. */
import t from 'tap';
import { deadLetterRecorder } from '../../../actors/intake/dead-letter-recorder.ts';
import type { AbandonedEvent } from '../../../actors/intake/jobs-api.ts';
import type { EventStream } from '../../../actors/intake/event-stream.ts';
import { VelloError } from '../../../config/errors.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createMemoryEventStreams } from '../../fixtures/memory-event-streams.ts';
import { pass, settled } from '../../fixtures/settled.ts';

async function createRecording(more: Partial<EventStream> = {}) {
  const test = createTestSystem();
  const streams = createMemoryEventStreams(test.clock);
  const stream = await streams.open('dead');
  const calls: AbandonedEvent[][] = [];
  const answers = { record: async (_: readonly AbandonedEvent[]): Promise<void> => undefined };
  const closed: string[] = [];
  const api = {
    addJobs: async () => [],
    recordDeadLetters: async (events: readonly AbandonedEvent[]) => {
      calls.push([...events]);
      await answers.record(events);
    },
  };
  const own = { ...(await streams.open('dead')), close: () => void closed.push('dead'), ...more };
  const start = async () => {
    test.system.spawn('recorder', deadLetterRecorder({ streams: { open: async () => own }, api, consumer: 'me' }));
    await settled();
  };
  const append = (...names: string[]) => names.map((n) => streams.append('dead', { n }));
  const names = () => calls.map((events) => events.map(({ fields }) => fields['n']).join(''));
  const facts = () => test.system.snapshotOf('recorder')?.facts;
  return { ...test, streams, stream, calls, answers, closed, start, append, names, facts };
}

const away = async () => Promise.reject(new VelloError('API_UNREACHABLE'));

t.test('an abandoned event is recorded, then acknowledged, and kept', async (t) => {
  const { answers, append, start, names, streams, facts, system, closed } = await createRecording();
  let commit: (() => void) | undefined;
  answers.record = () => new Promise((resolve) => (commit = resolve));
  append('1', '2');
  await start();
  t.strictSame(names(), ['12']);
  t.equal(streams.pending('dead'), 2);
  t.strictSame(facts(), { recorded: 0 });
  commit?.();
  await settled();
  t.equal(streams.pending('dead'), 0);
  t.equal(streams.entries('dead').length, 2);
  t.strictSame(facts(), { recorded: 2 });
  append('3');
  await settled();
  commit?.();
  await settled();
  t.strictSame(names(), ['12', '3']);
  t.strictSame(facts(), { recorded: 3 });
  await system.stop();
  t.strictSame(closed, ['dead']);
});

t.test('the record says where an event came from, and every attempt', async (t) => {
  const { streams, start, calls, system } = await createRecording();
  const attempts = [
    { attempt: 1, at: 5, error: 'X' },
    { attempt: 2, at: 9, error: 'Y' },
  ];
  const noted = { attempt: '2', error: 'Y', failures: JSON.stringify(attempts) };
  streams.append('dead', { n: '1', origin_stream: 's', origin_id: '7-7', ...noted });
  const id = streams.append('dead', { n: '2' });
  await start();
  t.strictSame(calls, [
    [
      { stream: 's', entryId: '7-7', fields: { n: '1' }, attempts, errorCode: 'Y' },
      { stream: 'unknown', entryId: id, fields: { n: '2' }, attempts: [], errorCode: 'UNKNOWN' },
    ],
  ]);
  await system.stop();
});

t.test('attempts that no collector noted are not taken over', async (t) => {
  const { streams, start, calls, system } = await createRecording();
  const good = { attempt: 1, at: 5, error: 'X' };
  const strange = [
    ...['{', 'null', '{"length":0}', '[null]', '[7]', '["x"]'],
    ...[
      { ...good, attempt: '1' },
      { at: 5, error: 'X' },
      { ...good, at: null },
      { attempt: 1, error: 'X' },
    ].map((one) => JSON.stringify([good, one])),
    ...[
      { ...good, error: 7 },
      { attempt: 1, at: 5 },
    ].map((one) => JSON.stringify([good, one])),
  ];
  for (const failures of strange) streams.append('dead', { failures, attempt: '3', error: 'Z' });
  await start();
  t.equal(calls[0]?.length, strange.length);
  for (const [place, { attempts }] of calls[0]?.entries() ?? []) {
    t.strictSame(attempts, [{ attempt: 3, at: 0, error: 'Z' }], String(strange[place]));
  }
  await system.stop();
});

t.test('while the api is away it is asked again every five seconds, with the same events', async (t) => {
  const { answers, append, start, names, clock, log, streams, system } = await createRecording();
  answers.record = away;
  append('1', '2');
  await start();
  append('3');
  await pass(clock, 4999);
  t.strictSame(names(), ['12']);
  t.match(log.lines, [{ level: 'warn', fields: { entries: 2, error: { code: 'API_UNREACHABLE' } } }]);
  answers.record = async () => undefined;
  await pass(clock, 1);
  t.strictSame(names(), ['12', '12', '3']);
  t.equal(streams.pending('dead'), 0);
  await system.stop();
});

t.test('a failure of another kind is its supervisor’s', async (t) => {
  const refused = Object.assign(new Error('refused'), { retryable: false });
  for (const error of [new TypeError('a defect'), refused, 'text' as unknown as Error]) {
    const { answers, append, start, system, streams } = await createRecording();
    answers.record = async () => Promise.reject(error);
    append('1');
    await start();
    t.equal(system.resolve('recorder'), undefined, String(error));
    t.equal(streams.entries('dead').length, 1);
    await system.stop();
  }
});

t.test('what the api refuses is found among many, reported once, and never acknowledged', async (t) => {
  const { answers, append, start, names, clock, log, streams, facts, system } = await createRecording();
  answers.record = async (events) => {
    if (events.some(({ fields }) => fields['n'] === '4')) throw new VelloError('API_REJECTED');
  };
  const ids = append('1', '2', '3', '4', '5');
  await start();
  t.strictSame(names(), ['12345', '12', '345', '3', '45', '4', '5']);
  t.equal(streams.pending('dead'), 1);
  t.strictSame(facts(), { recorded: 4 });
  t.match(log.lines, [{ level: 'error', fields: { entry: ids[3], error: { code: 'API_REJECTED' } } }]);
  append('6');
  await pass(clock, 10_000);
  t.strictSame(names().slice(7), ['6'], 'nor is it asked about again');
  t.equal(log.lines.length, 1);
  await system.stop();
});

t.test('what it owns without knowing it is found two seconds after it last looked, a hundred at a time', async (t) => {
  const { append, start, stream, names, calls, clock, system } = await createRecording();
  await start();
  append(...Array.from({ length: 150 }, () => '1'));
  await stream.read('me', 150, 0);
  await pass(clock, 1999);
  t.strictSame(names(), []);
  await pass(clock, 1);
  t.strictSame(
    calls.map(({ length }) => length),
    [100, 50],
  );
  await system.stop();
});

t.test('what is refused does not hide what else it owns', async (t) => {
  const { answers, append, start, stream, names, clock, system } = await createRecording();
  answers.record = async (events) => {
    if (events.some(({ fields }) => fields['n'] === '1')) throw new VelloError('API_REJECTED');
  };
  append('1');
  await start();
  append('2');
  await stream.read('me', 1, 0);
  await pass(clock, 4000);
  t.strictSame(names(), ['1', '2']);
  await system.stop();
});

t.test('takes over what a dead recorder left for fifteen seconds, however often it was tried', async (t) => {
  const { append, start, stream, names, clock, system } = await createRecording();
  append('1');
  await stream.read('gone', 1, 0);
  for (let time = 0; time < 5; time += 1) {
    clock.advance(1000);
    await stream.claim(`gone ${time}`, { minIdleMs: 1000, maxDeliveries: 9, aloneFrom: 9, count: 1 });
  }
  append('2');
  await stream.read('gone 4', 1, 0);
  clock.advance(13_000);
  await start();
  t.strictSame(names(), []);
  await pass(clock, 2000);
  t.strictSame(names(), ['12']);
  await system.stop();
});

t.test('gives up what it owns when it is stopped, and a blocked read does not hold that up', async (t) => {
  const { answers, append, start, stream, clock, closed, system, log } = await createRecording();
  answers.record = away;
  append('1');
  await start();
  const stopping = system.stop();
  await settled();
  t.strictSame(closed, ['dead']);
  await pass(clock, 2000);
  await stopping;
  const { entries } = await stream.claim('next', { minIdleMs: 15_000, maxDeliveries: 9, aloneFrom: 9, count: 9 });
  t.equal(entries.length, 1);
  t.notOk(log.lines.some(({ message }) => message.startsWith('could not release')));

  const idle = await createRecording();
  await idle.start();
  const ending = idle.system.stop();
  await settled();
  t.strictSame(idle.closed, ['dead']);
  await pass(idle.clock, 2000);
  await ending;
});

t.test('what it cannot give up is left to its lease', async (t) => {
  const { start, closed, log, system } = await createRecording({
    release: async () => Promise.reject(new Error('away')),
  });
  await start();
  await system.stop();
  t.strictSame(closed, ['dead']);
  const fields = { actor: 'recorder', error: { message: 'away' } };
  t.match(log.lines.at(-1), { level: 'warn', message: 'could not release abandoned events', fields });
});

/** What a worker decides about a batch, with an api and a settler that do as they are told. */
import t from 'tap';
import { createConsumerLine, type ReaderMessage, type SettlerMessage } from '../../../actors/intake/consumer-line.ts';
import type { JudgeEvent } from '../../../actors/intake/event-verdict.ts';
import { streamWorker } from '../../../actors/intake/stream-worker.ts';
import type { AddedJob } from '../../../actors/intake/jobs-api.ts';
import { VelloError } from '../../../config/errors.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { settled } from '../../fixtures/settled.ts';
import { standIn } from '../../fixtures/stand-in.ts';

type Fields = Readonly<Record<string, string>>;
type Outcome = Extract<SettlerMessage, { type: 'outcome' }>;

const job = { kind: 'job', jobId: 'j', creditsDeducted: 1, duplicate: false } as const;
const codeOf = (error: Error) => (error instanceof VelloError ? error.code : error.message);
const names = (events: readonly Fields[]) => events.map(({ n }) => n).join('');

/** `answer` stands for the api; what is judged is retried after a second, but as `judge` says. */
async function createWorking(
  answer: (events: readonly Fields[]) => Promise<readonly AddedJob[]> = async (events) => events.map(() => job),
  judge: JudgeEvent = () => ({ kind: 'retry', delayMs: 1000 }),
) {
  const test = createTestSystem();
  const line = createConsumerLine('transcribe', 'me', { leaseMs: 10_000 });
  const posts: string[] = [];
  const judged: string[] = [];
  const outcomes: Outcome[] = [];
  const toReader: ReaderMessage[] = [];
  const settler = { isPrompt: true };
  line.reader = standIn((message) => void toReader.push(message));
  line.settler = standIn((message) => {
    if (message.type !== 'outcome') return;
    outcomes.push(message);
    if (settler.isPrompt) message.reply.ok(undefined);
  });
  const definition = streamWorker(line, 3, {
    api: {
      addJobs: (events) => {
        posts.push(names(events));
        return answer(events);
      },
      recordDeadLetters: async () => undefined,
    },
    judge: (failure) => {
      judged.push(`${codeOf(failure.error)} ${failure.attempt}`);
      return judge(failure);
    },
    metrics: test.metrics,
  });
  test.system.spawn('worker', definition);
  await settled();
  const sentMs = test.clock.now();
  const run = async (events: string, fields: Fields = {}) => {
    const entries = events.split('').map((n) => ({ id: `${sentMs}-${n}`, fields: { n, ...fields }, deliveries: 1 }));
    line.workers[3]?.tell({ type: 'batch', entries });
    await settled();
  };
  const ids = (events: string) => events.split('').map((n) => `${sentMs}-${n}`);
  const count = (outcome: string) => test.metrics.value('vello_events_total', { stream: 'transcribe', outcome });
  const measured = (name: string) => test.metrics.value(name, { stream: 'transcribe' });
  const facts = () => test.system.snapshotOf('worker')?.facts;
  return { ...test, line, posts, judged, outcomes, toReader, settler, run, ids, count, measured, facts };
}

const refuse = (code: ConstructorParameters<typeof VelloError>[0]) => async () => Promise.reject(new VelloError(code));

t.test('posts a batch as the gateway wrote it, hands on what was settled, and asks for more', async (t) => {
  const seen: (readonly Fields[])[] = [];
  const working = await createWorking(async (events) => (seen.push(events), events.map(() => job)));
  const { run, ids, outcomes, toReader, line, facts, system } = working;
  line.isTrusted = false;
  await run('12', { attempt: '2', error: 'X' });
  t.strictSame(seen, [[{ n: '1' }, { n: '2' }]]);
  t.match(outcomes, [{ done: ids('12'), deferred: [], abandoned: [] }]);
  t.strictSame(toReader, [{ type: 'idle', worker: 3 }]);
  t.equal(line.isTrusted, true, 'something went well');
  t.strictSame(facts(), { stream: 'transcribe', handled: 2 });
  await run('3');
  t.match(facts(), { handled: 3 });
  await system.stop();
  t.equal(line.workers[3], undefined);
});

t.test('takes no more before the outcome is durable, and waits twelve seconds for that', async (t) => {
  const { run, settler, toReader, outcomes, clock, line, system, count, log } = await createWorking();
  settler.isPrompt = false;
  await run('1');
  t.equal(outcomes.length, 1);
  t.strictSame(toReader, []);
  t.equal(count('settled'), 0);
  outcomes[0]?.reply.ok(undefined);
  await settled();
  t.equal(toReader.length, 1);
  t.equal(count('settled'), 1);
  await run('2');
  outcomes[1]?.reply.fail(new Error('the store is away'));
  await settled();
  t.equal(line.workers[3], undefined, 'a failure of the store is the line’s');
  t.match(log.lines, [{ message: 'actor crashed', fields: { error: { message: 'the store is away' } } }]);
  clock.advance(20_000);
  await system.stop();
});

t.test('measures what became of events, how many runs they took, and how long since they were written', async (t) => {
  const { run, count, measured, clock, system } = await createWorking(
    async (events) => {
      clock.advance(1500);
      return events.map(({ n }) =>
        n === '4' ? { kind: 'refused', status: 422, code: 'X' } : { ...job, duplicate: n === '1' },
      );
    },
    ({ error }) => ({ kind: codeOf(error) === 'API_REJECTED' ? 'abandon' : 'pause' }),
  );
  await run('1234', { attempt: '1' });
  t.strictSame(['settled', 'duplicate', 'deferred', 'abandoned'].map(count), [2, 1, 0, 1]);
  t.equal(measured('vello_event_attempts'), 4);
  t.equal(measured('vello_event_attempts_sum'), 8);
  t.equal(measured('vello_event_settle_seconds'), 3, 'of what was settled');
  t.equal(measured('vello_event_settle_seconds_sum'), 4.5);
  t.equal(measured('vello_event_post_seconds'), 1);
  t.equal(measured('vello_event_post_seconds_sum'), 1.5);
  clock.setNow(0);
  await run('5');
  t.equal(measured('vello_event_settle_seconds_sum'), 4.5, 'a clock that was set back makes nothing negative');
  await system.stop();
});

t.test('each refused event is judged by its own status and attempt, and moved with the code of the api', async (t) => {
  const { run, ids, outcomes, judged, count, system } = await createWorking(
    async (events) =>
      events.map(({ n }) => {
        if (n === '1') return { kind: 'refused', status: 503, code: 'DOWN' };
        return n === '3' ? { kind: 'refused', status: 422, code: 'BAD' } : job;
      }),
    ({ error }) => (codeOf(error) === 'API_FAILED' ? { kind: 'retry', delayMs: 15_000 } : { kind: 'abandon' }),
  );
  await run('123', { attempt: '1' });
  t.strictSame(judged, ['API_FAILED 2', 'API_REJECTED 2']);
  const [one, two, three] = ids('123');
  t.match(outcomes[0], {
    done: [two],
    deferred: [{ id: one, attempt: 2, error: 'DOWN', delayMs: 15_000 }],
    abandoned: [{ id: three, attempt: 2, error: 'BAD' }],
  });
  t.strictSame([count('deferred'), count('abandoned')], [1, 1]);
  await system.stop();
});

t.test('an api that is away defers the whole batch after one post', async (t) => {
  const { run, posts, outcomes, judged, system } = await createWorking(refuse('API_UNREACHABLE'));
  await run('123');
  t.strictSame(posts, ['123']);
  t.strictSame(judged, ['API_UNREACHABLE 1', 'API_UNREACHABLE 1', 'API_UNREACHABLE 1']);
  t.match(outcomes, [{ done: [], deferred: [{ error: 'API_UNREACHABLE' }, {}, {}] }]);
  await system.stop();
});

t.test('what is our own fault touches no event, ends the worker, and takes the line’s trust', async (t) => {
  const { run, outcomes, toReader, line, log, system } = await createWorking(refuse('SERVICE_KEY_REFUSED'), () => ({
    kind: 'pause',
  }));
  await run('12');
  t.strictSame([outcomes, toReader], [[], []]);
  t.equal(line.isTrusted, false);
  t.equal(line.workers[3], undefined);
  t.match(log.lines, [{ message: 'actor crashed', fields: { error: { code: 'SERVICE_KEY_REFUSED' } } }]);
  await system.stop();
});

t.test('a batch that is refused as a whole is halved until the culprit is alone', async (t) => {
  const { run, posts, outcomes, ids, judged, system } = await createWorking(async (events) => {
    if (names(events).includes('4')) throw new VelloError('API_REJECTED');
    return events.map(() => job);
  });
  await run('12345');
  t.strictSame(posts, ['12345', '12', '345', '3', '45', '4', '5']);
  t.strictSame(judged, ['API_REJECTED 1']);
  t.match(outcomes, [{ done: ids('1235'), deferred: [{ id: ids('4')[0], error: 'API_REJECTED' }] }]);
  await system.stop();
});

t.test('a defect that strikes one event is logged and judged as ours, and strikes no other', async (t) => {
  const defect = new TypeError('a defect');
  const { run, outcomes, ids, judged, line, log, system } = await createWorking(async (events) => {
    if (names(events).includes('2')) throw defect;
    return events.map(() => job);
  });
  await run('123');
  t.strictSame(judged, ['INTERNAL 1']);
  t.match(outcomes, [{ done: ids('13'), deferred: [{ id: ids('2')[0], attempt: 1, error: 'INTERNAL' }] }]);
  const fields = { stream: 'transcribe', entry: ids('2')[0], error: defect };
  t.match(log.lines, [{ level: 'error', fields }]);
  t.equal(line.isTrusted, true);
  await run('2');
  t.equal(outcomes.length, 2, 'also where it is alone in its batch, which proves nothing');
  await system.stop();
});

t.test('a defect that strikes every event gives none up', async (t) => {
  const { run, outcomes, judged, line, log, system } = await createWorking(async () => {
    throw new TypeError('a defect');
  });
  await run('12');
  t.strictSame([judged, outcomes], [[], []]);
  t.equal(line.isTrusted, false);
  t.match(log.lines, [{ message: 'actor crashed', fields: { error: { message: 'a defect' } } }]);
  await system.stop();
});

t.test('ends where there is no settler to hand the outcome to', async (t) => {
  const { run, line, log, system } = await createWorking();
  line.settler = undefined;
  await run('1');
  t.match(log.lines, [{ fields: { error: { message: 'the settler of this line is not running' } } }]);
  await system.stop();
});

t.test('finishes what it has begun when it is stopped, and then asks for nothing more', async (t) => {
  let answer: (() => void) | undefined;
  const { run, outcomes, toReader, count, system } = await createWorking(
    (events) => new Promise((resolve) => (answer = () => resolve(events.map(() => job)))),
  );
  await run('1');
  const stopping = system.stop();
  await settled();
  answer?.();
  await stopping;
  t.equal(outcomes.length, 1);
  t.equal(count('settled'), 1);
  t.strictSame(toReader, []);
});

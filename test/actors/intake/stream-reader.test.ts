/** What the reader reads, and to whom it gives it, on a stream in memory and workers that only remember. */
import t from 'tap';
import { createConsumerLine, type ConsumerLine, type WorkerMessage } from '../../../actors/intake/consumer-line.ts';
import { streamReader } from '../../../actors/intake/stream-reader.ts';
import type { ClaimTerms, EventStream } from '../../../actors/intake/event-stream.ts';
import type { EventStreamKind } from '../../../config/streams.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import type { ManualClock } from '../../fixtures/manual-clock.ts';
import { createMemoryEventStreams } from '../../fixtures/memory-event-streams.ts';
import { pass, settled } from '../../fixtures/settled.ts';
import { standIn } from '../../fixtures/stand-in.ts';

interface Shape extends Partial<Pick<ConsumerLine, 'waitingLimit' | 'isTrusted'>> {
  readonly kind?: EventStreamKind;
  readonly workerCount?: number;
  readonly batchSize?: number;
}

async function createReading({ kind = 'transcribe', waitingLimit, isTrusted = true, ...sizes }: Shape = {}) {
  const test = createTestSystem();
  const streams = createMemoryEventStreams(test.clock);
  const stream = await streams.open(kind);
  const plain = createConsumerLine(kind, 'me', { leaseMs: 10_000, ...sizes });
  const line = { ...plain, isTrusted, waitingLimit: waitingLimit ?? plain.waitingLimit };
  const reads: { readonly count: number; readonly waitMs: number }[] = [];
  const claims: ClaimTerms[] = [];
  line.stream = {
    ...stream,
    read: (consumer, count, waitMs) => {
      reads.push({ count, waitMs });
      return stream.read(consumer, count, waitMs);
    },
    claim: (consumer, terms) => {
      claims.push(terms);
      return stream.claim(consumer, terms);
    },
  };
  /** As `worker: event ids`. */
  const given: string[] = [];
  for (let worker = 0; worker < line.workerCount; worker += 1) {
    line.workers[worker] = standIn<WorkerMessage>(({ entries }) => {
      given.push(`${worker}: ${entries.map(({ fields }) => fields['n']).join(' ')}`);
    });
  }
  let added = 0;
  const append = (count: number, fields: Readonly<Record<string, string>> = {}) =>
    Array.from({ length: count }, () => streams.append(kind, { n: String((added += 1)), ...fields }));
  const start = async () => {
    test.system.spawn('reader', streamReader(line, test));
    await settled();
  };
  const idle = async (worker: number) => {
    line.reader?.tell({ type: 'idle', worker });
    await settled();
  };
  const sweep = async () => {
    line.reader?.tell({ type: 'sweep' });
    await pass(test.clock, 500);
  };
  const facts = () => test.system.snapshotOf('reader')?.facts;
  return { ...test, streams, stream, line, reads, claims, given, append, start, idle, sweep, facts };
}

/** Entries that were handed out `times`, the last time to a consumer that is gone. */
async function leave(stream: EventStream, clock: ManualClock, count: number, times: number) {
  const taken = await stream.read('gone 1', count, 0);
  for (let time = 2; time <= times; time += 1) {
    clock.advance(10_000);
    const again = { minIdleMs: 10_000, maxDeliveries: 9, aloneFrom: 9, count };
    await stream.claim(`gone ${time}`, again);
  }
  return taken;
}

t.test('reads as much as its idle workers can take, and gives each a batch', async (t) => {
  const { append, start, idle, given, reads, streams, facts, metrics, system } = await createReading({
    ...{ workerCount: 2, batchSize: 3 },
  });
  append(10);
  await start();
  t.strictSame(given, ['0: 1 2 3', '1: 4 5 6']);
  t.strictSame(reads, [{ count: 6, waitMs: 500 }]);
  t.equal(streams.pending('transcribe'), 6, 'the rest is left to other consumers');
  t.strictSame(facts(), { stream: 'transcribe', inFlight: 6, ready: 0, waiting: 0 });
  t.equal(metrics.value('vello_events_in_flight', { stream: 'transcribe' }), 6);
  await idle(1);
  t.strictSame(given.slice(2), ['1: 7 8 9']);
  await idle(0);
  t.strictSame(given.slice(3), ['0: 10']);
  t.strictSame(facts(), { stream: 'transcribe', inFlight: 4, ready: 0, waiting: 0 });
  t.equal(metrics.value('vello_events_in_flight', { stream: 'transcribe' }), 4);
  await system.stop();
});

t.test('what comes while it waits is given at once', async (t) => {
  const { append, start, given, system } = await createReading();
  await start();
  append(1);
  await settled();
  t.strictSame(given, ['0: 1']);
  await system.stop();
});

t.test('reads at most five hundred entries in one answer', async (t) => {
  const { start, reads, system } = await createReading({ workerCount: 2, batchSize: 300 });
  await start();
  t.match(reads, [{ count: 500 }]);
  await system.stop();
});

t.test('sends a batch in parts where its events are long', async (t) => {
  const { append, start, given, system } = await createReading({ workerCount: 3, batchSize: 10 });
  const half = 'x'.repeat(1024 * 1024 - 1);
  append(2, { half });
  append(1, { half, other: half, more: 'xx' });
  append(1);
  await start();
  t.strictSame(given, ['0: 1 2', '1: 3', '2: 4'], 'up to 2 MiB together, and what is longer by itself');
  await system.stop();
});

t.test('begins with what its consumer owned before', async (t) => {
  const { append, start, given, stream, system } = await createReading({ workerCount: 2, batchSize: 5 });
  append(3);
  await stream.read('me', 2, 0);
  await start();
  t.strictSame(given, ['0: 1 2', '1: 3']);
  await system.stop();
});

t.test('holds an entry of the dlq until its time, and no other', async (t) => {
  const { append, start, given, clock, facts, reads, system } = await createReading({ kind: 'dlq' });
  append(1, { not_before: String(clock.now() + 1200) });
  append(1, { not_before: String(clock.now()) });
  await start();
  t.strictSame(given, ['0: 2']);
  t.match(facts(), { waiting: 1, inFlight: 1 });
  await pass(clock, 1199);
  t.equal(given.length, 1);
  await pass(clock, 1);
  t.strictSame(given, ['0: 2', '1: 1']);
  t.ok(
    reads.some(({ waitMs }) => waitMs === 200),
    'it waits no longer than the entry',
  );
  t.ok(reads.every(({ waitMs }) => waitMs > 0 && waitMs <= 500));
  await system.stop();
});

t.test('gives what is straight from the gateway at once, whatever it says of its time', async (t) => {
  const { append, start, given, clock, system } = await createReading();
  append(1, { not_before: String(clock.now() + 60_000) });
  await start();
  t.strictSame(given, ['0: 1']);
  await system.stop();
});

t.test('keeps only so many waiting entries in memory, and reads on as they fall due', async (t) => {
  const { append, start, given, clock, streams, reads, system } = await createReading({ kind: 'dlq', waitingLimit: 2 });
  for (const seconds of [1, 2, 3, 4]) append(1, { not_before: String(clock.now() + seconds * 1000) });
  await start();
  t.equal(streams.pending('dlq'), 2);
  t.equal(reads.length, 1, 'it asks for nothing that it has no room for');
  await pass(clock, 999);
  t.strictSame(given, []);
  t.equal(reads.length, 1);
  await pass(clock, 1);
  t.strictSame(given, ['0: 1']);
  t.equal(streams.pending('dlq'), 3);
  await pass(clock, 1000);
  t.strictSame(given, ['0: 1', '1: 2']);
  await system.stop();
});

t.test('reads nothing while due entries of the dlq wait for a worker', async (t) => {
  const { append, start, idle, given, streams, facts, system } = await createReading({
    ...{ kind: 'dlq', workerCount: 1, batchSize: 1 },
  });
  append(3);
  await start();
  t.match(facts(), { inFlight: 1, ready: 2 });
  append(1);
  await settled();
  t.equal(streams.pending('dlq'), 3);
  for (let turn = 0; turn < 3; turn += 1) await idle(0);
  t.strictSame(given, ['0: 1', '0: 2', '0: 3', '0: 4']);
  await system.stop();
});

t.test('takes over what dead consumers left, at its start and when it is swept', async (t) => {
  const { append, start, sweep, given, claims, stream, clock, metrics, system } = await createReading();
  append(3);
  await leave(stream, clock, 3, 1);
  clock.advance(10_000);
  await start();
  t.strictSame(given, ['0: 1 2 3']);
  t.strictSame(claims[0], { minIdleMs: 10_000, maxDeliveries: 3, aloneFrom: 3, count: 500 });
  t.equal(metrics.value('vello_stream_claimed_total', { stream: 'transcribe' }), 3);
  const asked = claims.length;
  await pass(clock, 5000);
  t.equal(claims.length, asked, 'it asks when it is told to');
  await sweep();
  t.ok(claims.length > asked);
  await system.stop();
});

t.test('takes over no more than one answer holds while its workers are busy', async (t) => {
  const { append, start, stream, clock, streams, facts, system } = await createReading({ workerCount: 1 });
  append(1100);
  await leave(stream, clock, 1100, 1);
  clock.advance(10_000);
  await start();
  t.strictSame(facts(), { stream: 'transcribe', inFlight: 100, ready: 400, waiting: 0 });
  t.equal((await stream.owned('me')).length, 500);
  t.equal(streams.pending('transcribe'), 1100);
  await system.stop();
});

t.test('runs what is on its last delivery alone, one after another, beside what is new', async (t) => {
  const { append, start, idle, given, reads, stream, clock, claims, system } = await createReading({
    ...{ workerCount: 2, batchSize: 2 },
  });
  append(3);
  await leave(stream, clock, 3, 2);
  clock.advance(10_000);
  await start();
  t.strictSame(given, ['0: 1']);
  t.equal(reads.at(-1)?.waitMs, 20, 'the others wait');
  append(1);
  await settled();
  t.strictSame(given, ['0: 1', '1: 4']);
  const asked = claims.length;
  await idle(1);
  await pass(clock, 100);
  t.equal(claims.length, asked, 'nothing else is taken over meanwhile');
  await idle(0);
  await pass(clock, 20);
  t.strictSame(given.slice(2), ['1: 2']);
  t.equal((await stream.owned('gone 2')).length, 1, 'the third is not delivered before it can be run');
  await system.stop();
});

t.test('reports what was buried', async (t) => {
  const { append, start, given, stream, clock, log, metrics, system } = await createReading();
  const ids = append(2);
  await leave(stream, clock, 2, 3);
  clock.advance(10_000);
  await start();
  t.strictSame(given, []);
  t.match(log.lines, [{ level: 'error', fields: { stream: 'transcribe', buried: ids } }]);
  t.equal(log.lines.length, 1);
  t.equal(metrics.value('vello_events_total', { stream: 'transcribe', outcome: 'buried' }), 2);
  await system.stop();
});

t.test('knows what is with a worker, ready, waiting, or on its last delivery', async (t) => {
  const { append, start, idle, given, stream, clock, sweep, facts, system } = await createReading({
    ...{ kind: 'dlq', workerCount: 1, batchSize: 1 },
  });
  append(1);
  await leave(stream, clock, 1, 2);
  append(2);
  append(1, { not_before: String(clock.now() + 60_000) });
  await stream.read('me', 3, 0);
  await start();
  t.match(facts(), { inFlight: 1, ready: 1, waiting: 1 });
  clock.advance(10_000);
  await sweep();
  await sweep();
  t.ok(facts(), 'it lives');
  await idle(0);
  await idle(0);
  t.strictSame(given, ['0: 2', '0: 1', '0: 3'], 'the suspect goes first');
  await system.stop();
});

t.test('begins anew where its consumer owns what it does not know', async (t) => {
  const { append, start, stream, sweep, log, line, system } = await createReading();
  await start();
  // As if the answer to a read had been lost on its way.
  const lost = append(6);
  await stream.read('me', 6, 0);
  await sweep();
  t.equal(line.reader, undefined);
  const detail = `Entries were read and never heard of: ${lost.slice(0, 5).join(', ')}.`;
  t.match(log.lines, [{ message: 'actor crashed', fields: { error: { code: 'REDIS_UNAVAILABLE', detail } } }]);
  await system.stop();
});

t.test('an untrusted line tries with one worker, one batch at a time', async (t) => {
  const { append, start, idle, given, reads, line, system } = await createReading({
    ...{ isTrusted: false, workerCount: 3, batchSize: 1 },
  });
  append(5);
  await start();
  t.strictSame(given, ['0: 1']);
  t.match(reads, [{ count: 1 }]);
  await idle(0);
  t.strictSame(given, ['0: 1', '0: 2']);
  line.isTrusted = true;
  await idle(0);
  t.strictSame(given.slice(2).sort(), ['0: 5', '1: 3', '2: 4']);
  await system.stop();
});

t.test('silence restores trust, unless something is under way that may yet fail', async (t) => {
  const quiet = await createReading({ isTrusted: false });
  await quiet.start();
  t.equal(quiet.line.isTrusted, false);
  await pass(quiet.clock, 500);
  t.equal(quiet.line.isTrusted, true);
  await quiet.system.stop();
  const busy = await createReading({ isTrusted: false, kind: 'dlq' });
  busy.append(1);
  await busy.start();
  await pass(busy.clock, 2000);
  t.equal(busy.line.isTrusted, false);
  await busy.system.stop();
});

t.test('does not start without a stream, and ends where a worker is missing or does not take its batch', async (t) => {
  const closed = await createReading();
  closed.line.stream = undefined;
  await closed.start();
  t.equal(closed.line.reader, undefined);
  for (const worker of [undefined, standIn<WorkerMessage>(() => undefined, 'mailbox_full')]) {
    const { append, start, line, log, system } = await createReading();
    line.workers[0] = worker;
    append(1);
    await start();
    t.equal(line.reader, undefined);
    const message = worker === undefined ? 'the worker of this line is not running' : /mailbox_full/;
    t.match(log.lines, [{ message: 'actor crashed', fields: { error: { message } } }]);
    await system.stop();
  }
});

t.test('a read under way does not hold up its end', async (t) => {
  const { start, line, system, clock } = await createReading();
  await start();
  t.ok(line.reader);
  const stopping = system.stop();
  await settled();
  t.equal(line.reader, undefined);
  await pass(clock, 500);
  await stopping;
});

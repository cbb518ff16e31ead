/** What every event stream promises, asked of Redis and of its twin in memory alike. */
import t from 'tap';
import type { EventStreams } from '../../actors/intake/event-stream.ts';
import { streamKey, type EventStreamKind } from '../../config/streams.ts';
import { connectRedis } from '../../transports/redis/connection/connect.ts';
import { createEventStreams } from '../../transports/redis/streams/event-stream.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { createMemoryEventStreams } from '../fixtures/memory-event-streams.ts';
import { startRedis } from '../fixtures/redis.ts';
import { createMemoryLog, createMemoryMetrics } from '../fixtures/silent.ts';
import type { Teardown } from '../fixtures/temporary-folder.ts';

interface Subject {
  readonly streams: EventStreams;
  append(kind: EventStreamKind, fields: Record<string, string>): Promise<string>;
  entries(kind: EventStreamKind): Promise<{ id: string; fields: Record<string, string> }[]>;
  /** Lets an entry look untouched for long. */
  age(kind: EventStreamKind, consumer: string, id: string): Promise<void>;
  /** Empties every stream and forgets every group's entries. */
  clear(): Promise<void>;
}

const LEASE_MS = 30_000;
const terms = { minIdleMs: LEASE_MS, maxDeliveries: 3, aloneFrom: 3, count: 10 };

const onRedis = async (teardown: Teardown): Promise<Subject> => {
  const { url } = await startRedis(teardown);
  const log = createMemoryLog();
  const commands = await connectRedis({ url, use: 'command', name: 'test', log });
  teardown.teardown(() => commands.disconnect());
  return {
    streams: createEventStreams({ url, log, metrics: createMemoryMetrics() }),
    append: async (kind, fields) => String(await commands.xadd(streamKey(kind), '*', ...Object.entries(fields).flat())),
    entries: async (kind) =>
      (await commands.xrange(streamKey(kind), '-', '+')).map(([id, flat]) => ({
        id,
        fields: Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : []))),
      })),
    age: async (kind, consumer, id) => {
      await commands.call(
        ...['XCLAIM', streamKey(kind), 'job-collector-group', consumer, '0', id, 'IDLE', String(LEASE_MS), 'JUSTID'],
      );
    },
    clear: async () => {
      await commands.flushall();
    },
  };
};

const inMemory = async (): Promise<Subject> => {
  const clock = createManualClock();
  let streams = createMemoryEventStreams(clock);
  return {
    streams: { open: (kind) => streams.open(kind) },
    append: async (kind, fields) => streams.append(kind, fields),
    entries: async (kind) => streams.entries(kind),
    age: async () => clock.advance(LEASE_MS),
    clear: async () => {
      streams = createMemoryEventStreams(clock);
    },
  };
};

for (const [name, make] of [
  ['Redis', onRedis],
  ['memory', inMemory],
] as const) {
  t.test(name, async (t) => {
    const subject = await make(t);
    const open = async (kind: EventStreamKind) => {
      const stream = await subject.streams.open(kind);
      t.teardown(() => stream.close());
      return stream;
    };
    t.beforeEach(() => subject.clear());
    const ids = (entries: readonly { id: string }[]) => entries.map(({ id }) => id);

    t.test('hands each entry to one consumer, in order, at most as many as asked for', async (t) => {
      const stream = await open('transcribe');
      const added = [];
      for (const n of ['1', '2', '3']) added.push(await subject.append('transcribe', { n }));
      const first = await stream.read('a', 2, 10);
      const second = await stream.read('b', 2, 10);
      t.same(ids(first), added.slice(0, 2));
      t.same(ids(second), added.slice(2));
      t.same(first[0], { id: added[0], fields: { n: '1' }, deliveries: 1 });
    });

    t.test('delivers what arrived before the group was made', async (t) => {
      const id = await subject.append('process', { n: '1' });
      const stream = await open('process');
      t.same(ids(await stream.read('a', 1, 10)), [id]);
    });

    t.test('wakes a waiting reader when an entry arrives', async (t) => {
      const stream = await open('transcribe');
      const reading = stream.read('a', 1, 5000);
      const id = await subject.append('transcribe', { n: '1' });
      t.same(ids(await reading), [id]);
    });

    t.test('settling an owned entry deletes it', async (t) => {
      const stream = await open('transcribe');
      const id = await subject.append('transcribe', { n: '1' });
      await stream.read('a', 1, 10);
      t.same(await stream.settle('a', [id]), []);
      t.same(await subject.entries('transcribe'), []);
      t.match(await stream.depth(), { length: 0, pending: 0, oldestMs: 0 });
    });

    t.test('settling an entry twice reports it as lost the second time', async (t) => {
      const stream = await open('transcribe');
      const id = await subject.append('transcribe', { n: '1' });
      await stream.read('a', 1, 10);
      await stream.settle('a', [id]);
      t.same(await stream.settle('a', [id]), [id]);
    });

    t.test('a consumer whose entry was claimed can neither settle nor move it', async (t) => {
      const stream = await open('transcribe');
      const id = await subject.append('transcribe', { n: '1' });
      await stream.read('dead', 1, 10);
      await subject.age('transcribe', 'dead', id);
      const { entries } = await stream.claim('alive', terms);
      t.same(entries, [{ id, fields: { n: '1' }, deliveries: 2 }]);
      t.same(await stream.settle('dead', [id]), [id]);
      t.same(await stream.acknowledge('dead', [id]), [id]);
      t.same(await stream.move('dead', 'dlq', [{ id, attempt: 1, error: 'TIMEOUT', delayMs: 5000 }]), [id]);
      t.same(await subject.entries('dlq'), []);
      t.same(ids(await subject.entries('transcribe')), [id], 'still there for its new owner');
      t.same(await stream.settle('alive', [id]), []);
    });

    t.test(
      'moves an owned entry with its attempt, its error, its origin and the time before which it waits',
      async (t) => {
        const stream = await open('transcribe');
        const id = await subject.append('transcribe', { event_id: 'e', attempts: '2' });
        await stream.read('a', 1, 10);
        const before = await stream.now();
        t.same(await stream.move('a', 'dlq', [{ id, attempt: 1, error: 'TIMEOUT', delayMs: 5000 }]), []);
        t.same(await subject.entries('transcribe'), []);
        const [moved] = await subject.entries('dlq');
        t.match(moved?.fields, {
          event_id: 'e',
          attempts: '2',
          attempt: '1',
          error: 'TIMEOUT',
          origin_stream: 'modelsgateway:events:transcribe',
          origin_id: id,
        });
        const wait = Number(moved?.fields['not_before']) - before;
        t.ok(wait >= 5000 && wait < 6000, `waits ${wait} ms`);
      },
    );

    t.test('keeps the first origin and every failure over further moves', async (t) => {
      const [stream, dlq] = [await open('process'), await open('dlq')];
      const id = await subject.append('process', { event_id: 'e' });
      await stream.read('a', 1, 10);
      await stream.move('a', 'dlq', [{ id, attempt: 1, error: 'TIMEOUT', delayMs: 5 }]);
      const [first] = await dlq.read('a', 1, 10);
      await dlq.move('a', 'dlq', [{ id: first?.id ?? '', attempt: 2, error: 'UNREACHABLE', delayMs: 15 }]);
      const [second] = await dlq.read('a', 1, 10);
      await dlq.move('a', 'dead', [{ id: second?.id ?? '', attempt: 3, error: 'STATUS_500' }]);
      const [dead] = await subject.entries('dead');
      t.match(dead?.fields, {
        event_id: 'e',
        attempt: '3',
        error: 'STATUS_500',
        origin_stream: 'modelsgateway:events:process',
        origin_id: id,
      });
      t.notOk(dead?.fields['not_before'], 'the dead wait for nothing');
      t.match(JSON.parse(dead?.fields['failures'] ?? ''), [
        { attempt: 1, error: 'TIMEOUT' },
        { attempt: 2, error: 'UNREACHABLE' },
        { attempt: 3, error: 'STATUS_500' },
      ]);
      t.same(await subject.entries('dlq'), []);
    });

    t.test('leaves entries alone whose consumer touched them a moment ago', async (t) => {
      const stream = await open('transcribe');
      await subject.append('transcribe', { n: '1' });
      await stream.read('busy', 1, 10);
      t.same(await stream.claim('other', terms), { entries: [], buried: [] });
    });

    t.test('does not let a consumer claim what it already owns', async (t) => {
      const stream = await open('transcribe');
      const id = await subject.append('transcribe', { n: '1' });
      await stream.read('a', 1, 10);
      await subject.age('transcribe', 'a', id);
      t.same(await stream.claim('a', terms), { entries: [], buried: [] });
    });

    t.test('what is handed out for the last time comes alone, in its turn', async (t) => {
      const stream = await open('transcribe');
      for (const n of ['1', '2', '3', '4']) await subject.append('transcribe', { n });
      const [first] = ids(await stream.read('a', 1, 10));
      const [second] = ids(await stream.read('b', 1, 10));
      const [third, fourth] = ids(await stream.read('a', 2, 10));
      const claim = async (consumer: string) =>
        (await stream.claim(consumer, terms)).entries.map(({ id, deliveries }) => [id, deliveries]);
      await subject.age('transcribe', 'b', second ?? '');
      t.same(await claim('a'), [[second, 2]]);
      for (const id of [first, second, third, fourth]) await subject.age('transcribe', 'a', id ?? '');
      t.same(await claim('c'), [[first, 2]], 'stops before it');
      t.same(await claim('c'), [[second, 3]]);
      t.same(await claim('c'), [
        [third, 2],
        [fourth, 2],
      ]);
    });

    t.test('an entry that killed three consumers goes to the dead stream unrun', async (t) => {
      const stream = await open('transcribe');
      const id = await subject.append('transcribe', { event_id: 'poison' });
      await stream.read('c1', 1, 10);
      for (const [dead, next] of [
        ['c1', 'c2'],
        ['c2', 'c3'],
      ] as const) {
        await subject.age('transcribe', dead, id);
        t.same(ids((await stream.claim(next, terms)).entries), [id]);
      }
      await subject.age('transcribe', 'c3', id);
      t.same(await stream.claim('c4', terms), { entries: [], buried: [id] });
      t.same(await subject.entries('transcribe'), []);
      const [dead] = await subject.entries('dead');
      t.match(dead?.fields, { event_id: 'poison', error: 'CRASH_LOOP', origin_id: id });
    });

    t.test('a released entry can be claimed at once and its delivery is forgotten', async (t) => {
      const stream = await open('transcribe');
      const id = await subject.append('transcribe', { n: '1' });
      for (const consumer of ['a', 'b', 'c', 'd', 'e']) {
        const got =
          consumer === 'a' ? await stream.read(consumer, 1, 10) : (await stream.claim(consumer, terms)).entries;
        t.match(got, [{ id, deliveries: 1 }]);
        t.equal(await stream.release(consumer), 1);
      }
    });

    t.test('tells a new incarnation what its consumer owns, without counting a delivery', async (t) => {
      const stream = await open('transcribe');
      const added = [await subject.append('transcribe', { n: '1' }), await subject.append('transcribe', { n: '2' })];
      await stream.read('a', 2, 10);
      await subject.append('transcribe', { n: '3' });
      await stream.read('b', 1, 10);
      for (let again = 0; again < 4; again += 1) {
        const held = await stream.held('a');
        t.same(ids(held), added);
        t.same(held[0], { id: added[0], fields: { n: '1' }, deliveries: 1 });
      }
      t.same(await stream.held('stranger'), []);
    });

    t.test('acknowledging keeps the entry and never delivers it again', async (t) => {
      const stream = await open('dead');
      const id = await subject.append('dead', { n: '1' });
      await stream.read('a', 1, 10);
      t.same(await stream.acknowledge('a', [id]), []);
      t.same(ids(await subject.entries('dead')), [id]);
      t.same(await stream.held('a'), []);
      t.match(await stream.depth(), { length: 1, pending: 0 });
    });

    for (const end of ['interrupt', 'close'] as const) {
      t.test(`${end} ends a read under way`, async (t) => {
        const stream = await subject.streams.open('transcribe');
        t.teardown(() => stream.close());
        const reading = stream.read('a', 1, 60_000);
        reading.catch(() => undefined);
        stream[end]();
        await t.rejects(reading);
      });
    }

    t.test('an interrupted stream still settles', async (t) => {
      const stream = await open('transcribe');
      const id = await subject.append('transcribe', { n: '1' });
      await stream.read('a', 1, 10);
      stream.interrupt();
      t.same(await stream.settle('a', [id]), []);
    });
  });
}

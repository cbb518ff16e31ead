/** The emitter over ports in memory and a clock that stands still; `event-emitter.test.ts` has a real Redis and a real disk. */
import t from 'tap';
import { LIMITS } from '../../../config/limits.ts';
import { createEventEmitter, eventEmitterActor } from '../../../actors/events/event-emitter.ts';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';
import { usageEvent } from '../../fixtures/usage-event.ts';

const { batch, gatherMs, retryMs, mostInMemory, sendMs, checkpointMs } = LIMITS.events;
const idsOf = (events: readonly Pick<UsageEvent, 'eventId'>[]) => events.map(({ eventId }) => eventId);
const named = (eventId: string) => usageEvent({ eventId });
const counted = 'vello_gateway_events_total';

function setUp(left: readonly UsageEvent[] = [], lost: readonly UsageEvent[] = []) {
  const test = createTestSystem();
  const disk = { isFull: false, isOpen: false, isSpent: false, spooled: [...left], peeked: 0 };
  const stream = { isAway: false, refuses: new Set<string>(), sends: [] as string[] };
  const notes: string[] = [];
  const failOn = (isFull: boolean) => {
    if (isFull) throw new Error('ENOSPC');
  };
  const emitter = createEventEmitter({
    ...test,
    outlet: {
      send: async (events, sentBefore) => {
        stream.sends.push(`${sentBefore ? 'again ' : ''}${idsOf(events).join(' ')}`);
        if (stream.isAway) throw new Error('away');
        return events.filter(({ eventId }) => stream.refuses.has(eventId));
      },
    },
    spool: {
      open: () => void (disk.isOpen = true),
      append: (events) => {
        failOn(disk.isFull);
        disk.spooled.push(...events);
      },
      peek: (count) => disk.spooled.slice(0, (disk.peeked = Math.min(count, disk.spooled.length))),
      drop: () => void disk.spooled.splice(0, disk.peeked),
      close: () => void (disk.isOpen = false),
      get waiting() {
        return disk.spooled.length;
      },
      get isSpent() {
        return disk.isSpent;
      },
      noteProgress: () => {
        failOn(disk.isFull);
        notes.push('progress');
      },
      holds: (ids) => new Set(idsOf(disk.spooled).filter((id) => ids.has(id))),
    },
    journal: {
      open: () => lost,
      note: (admitted, endedIds) => {
        failOn(disk.isFull);
        if (admitted.length + endedIds.length > 0) notes.push(`+${idsOf(admitted).join()} -${endedIds.join()}`);
      },
      close: () => notes.push('closed'),
    },
  });
  const durable: string[] = [];
  const emit = (...ids: string[]) => ids.forEach((id) => emitter.emit(named(id), () => durable.push(id)));
  const waitingShown = () => {
    test.metrics.scrape();
    return test.metrics.value('vello_gateway_events_waiting');
  };
  return { ...test, emitter, emit, durable, disk, stream, notes, waitingShown };
}

t.test('what ends in one turn is durable together, noted together and sent together, each once', async (t) => {
  const { emitter, emit, durable, stream, notes, metrics, clock, waitingShown } = setUp();
  emitter.start();
  emitter.admit(named('c'));
  emit('a', 'b');
  t.strictSame(durable, [], 'not within the turn');
  t.equal(waitingShown(), 2);
  await settled();
  t.strictSame(durable, ['a', 'b']);
  t.strictSame(notes, ['+c -a,b']);
  t.strictSame(stream.sends, ['a b']);
  emit('c');
  await settled();
  t.strictSame(notes, ['+c -a,b'], 'what ended is struck out later, at no cost of its own');
  await pass(clock, checkpointMs - 1);
  t.equal(notes.length, 1);
  await pass(clock, 1);
  t.strictSame(notes, ['+c -a,b', '+ -c', 'progress']);
  t.strictSame(stream.sends, ['a b', 'c']);
  t.equal(metrics.value(counted, { way: 'direct' }), 3);
  t.equal(emitter.waiting, 0);
  await emitter.stop();
  t.equal(notes.at(-1), 'closed');
});

t.test('a batch is not exceeded, and as long as one is full the next goes at once', async (t) => {
  const { emitter, emit, stream, clock } = setUp();
  emitter.start();
  const sizes = () => stream.sends.map((ids) => ids.split(' ').length);
  emit(...Array.from({ length: 2 * batch + 1 }, (_, n) => `e${n}`));
  await settled(10);
  t.strictSame(sizes(), [batch, batch]);
  emit(...Array.from({ length: batch - 1 }, (_, n) => `f${n}`));
  await settled(10);
  t.strictSame(sizes(), [batch, batch, batch], 'also while it gathers');
  emit('g');
  await pass(clock, gatherMs);
  t.strictSame(sizes(), [batch, batch, batch, 1]);
  await emitter.stop();
});

t.test('what ends within a while of a sending goes together, and what ends after it at once', async (t) => {
  const { emitter, emit, durable, stream, clock } = setUp();
  emitter.start();
  emit('a');
  await settled();
  for (const id of ['b', 'c']) {
    emit(id);
    await pass(clock, gatherMs / 2 - 1);
  }
  t.strictSame(durable, ['a', 'b', 'c'], 'no answer waits for it');
  t.strictSame(stream.sends, ['a']);
  await pass(clock, 2);
  t.strictSame(stream.sends, ['a', 'b c']);
  await pass(clock, gatherMs);
  emit('d');
  await settled();
  t.strictSame(stream.sends, ['a', 'b c', 'd']);
  emit('e');
  await emitter.stop();
  t.equal(stream.sends.at(-1), 'e', 'nor does an end wait');
});

t.test('what is in memory only does not wait for more', async (t) => {
  const { emitter, emit, durable, disk, stream } = setUp();
  emitter.start();
  emit('a');
  await settled();
  disk.isFull = true;
  emit('b');
  await settled();
  t.strictSame(stream.sends, ['a', 'b']);
  t.strictSame(durable, ['a', 'b']);
  disk.isFull = false;
  await emitter.stop();
});

t.test('what an earlier process left is sent first, as sent before; what it owed is reported as lost', async (t) => {
  const { emitter, emit, stream, metrics, log, notes, clock } = setUp([named('old')], [named('owed')]);
  emit('early');
  emitter.start();
  await pass(clock, gatherMs);
  t.strictSame(stream.sends, ['again old', 'early owed'], 'what is new need not be looked for');
  t.strictSame(notes, ['+ -early']);
  t.equal(metrics.value(counted, { way: 'replayed' }), 1);
  t.ok(log.lines.some(({ message }) => message.includes('lost')));
  emit('new');
  await pass(clock, gatherMs);
  t.equal(stream.sends.at(-1), 'new', 'nothing new was sent before');
  await emitter.stop();
});

t.test('what an earlier process had admitted and whose event is in the spool is not lost', async (t) => {
  const { emitter, stream, notes, log } = setUp([named('ended')], [named('ended')]);
  emitter.start();
  await settled();
  t.strictSame(stream.sends, ['again ended']);
  t.strictSame(notes, ['+ -ended']);
  t.strictSame(log.lines, []);
  await emitter.stop();
});

t.test('a spool of which nothing is left of much is cleared at once', async (t) => {
  const { emitter, emit, disk, notes } = setUp();
  emitter.start();
  disk.isSpent = true;
  emit('a');
  await settled();
  t.strictSame(notes, ['+ -a', 'progress']);
  await emitter.stop();
});

t.test('admissions that the disk does not take are said once, and a new fault anew', async (t) => {
  const { emitter, disk, notes, log } = setUp();
  emitter.start();
  const said = () => log.lines.filter(({ message }) => message.startsWith('admissions cannot')).length;
  const admit = async (isFull: boolean, id: string) => {
    disk.isFull = isFull;
    emitter.admit(named(id));
    await settled();
  };
  await admit(true, 'a');
  await admit(true, 'b');
  t.equal(said(), 1);
  await admit(false, 'c');
  t.equal(notes.at(-1), '+c -');
  await admit(true, 'd');
  t.equal(said(), 2);
  disk.isFull = false;
  await emitter.stop();
});

t.test('while the stream is away one attempt is made each interval, whatever ends meanwhile', async (t) => {
  const { emitter, emit, durable, stream, clock, log } = setUp();
  emitter.start();
  stream.isAway = true;
  emit('a');
  await settled();
  t.strictSame(stream.sends, ['a']);
  emit('b');
  await settled();
  t.strictSame(durable, ['a', 'b'], 'the disk is enough for an answer');
  await pass(clock, retryMs - 1);
  t.equal(stream.sends.length, 1);
  await pass(clock, 1);
  t.strictSame(stream.sends, ['a', 'again a']);
  stream.isAway = false;
  await pass(clock, retryMs);
  await pass(clock, gatherMs);
  t.strictSame(stream.sends, ['a', 'again a', 'again a', 'b'], 'only what failed is in doubt');
  t.equal(emitter.waiting, 0);
  emit('c');
  await pass(clock, gatherMs);
  t.equal(stream.sends.at(-1), 'c');
  t.strictSame(
    log.lines.map(({ level }) => level),
    ['warn', 'info'],
    'said once, and once that it is over',
  );
  await emitter.stop();
});

t.test('an outage under load leaves nothing in doubt behind it, however much comes meanwhile', async (t) => {
  const { emitter, emit, stream, clock } = setUp();
  emitter.start();
  stream.isAway = true;
  emit('a', 'b');
  await settled();
  emit(...Array.from({ length: batch }, (_, n) => `c${n}`));
  stream.isAway = false;
  await pass(clock, retryMs);
  t.equal(stream.sends[1], 'again a b');
  for (let n = 0; n < 10; n += 1) {
    emit(...Array.from({ length: batch }, (_, m) => `d${n}.${m}`));
    await settled();
  }
  await pass(clock, gatherMs);
  t.equal(emitter.waiting, 0);
  t.strictSame(
    stream.sends.slice(2).filter((ids) => ids.startsWith('again')),
    [],
  );
  await emitter.stop();
});

t.test(
  'a request hears that it is noted at the end of its turn, and where the disk does not take the note',
  async (t) => {
    const { emitter, disk, notes } = setUp();
    const told: string[] = [];
    const admit = async (id: string) => {
      const before = told.length;
      emitter.admit(named(id), () => told.push(`${id} ${notes.at(-1)}`));
      t.equal(told.length, before, 'not within the turn');
      await settled();
    };
    await admit('before it is open');
    emitter.start();
    await admit('a');
    disk.isFull = true;
    await admit('b');
    disk.isFull = false;
    t.strictSame(told, ['before it is open undefined', 'a +a -', 'b +a -']);
    await emitter.stop();
  },
);

t.test('what is in memory and was sent in vain is in doubt, also once the disk takes it', async (t) => {
  const { emitter, emit, disk, stream, clock } = setUp();
  emitter.start();
  disk.isFull = stream.isAway = true;
  emit('a');
  await settled();
  disk.isFull = false;
  await pass(clock, retryMs);
  stream.isAway = false;
  emit('b');
  await pass(clock, retryMs);
  await pass(clock, gatherMs);
  t.strictSame(stream.sends.slice(-2), ['again a', 'b']);
  await emitter.stop();
});

t.test('where a part is taken the rest is tried again, as sent before', async (t) => {
  const { emitter, emit, stream, clock } = setUp();
  emitter.start();
  stream.refuses.add('b');
  emit('a', 'b');
  await settled();
  t.equal(emitter.waiting, 2);
  stream.refuses.clear();
  await pass(clock, retryMs);
  t.strictSame(stream.sends, ['a b', 'again a b']);
  t.equal(emitter.waiting, 0);
  await emitter.stop();
});

t.test('what the disk does not take is durable once the stream has it', async (t) => {
  const { emitter, emit, durable, disk, stream, notes, metrics, log, clock } = setUp();
  emitter.start();
  disk.isFull = true;
  stream.refuses.add('b');
  emit('a', 'b');
  await settled();
  t.strictSame(durable, ['a']);
  t.equal(emitter.waiting, 1);
  t.equal(metrics.value(counted, { way: 'direct' }), 1);
  disk.isFull = false;
  await pass(clock, retryMs);
  t.strictSame(durable, ['a', 'b'], 'the disk took it when it could');
  stream.refuses.clear();
  await pass(clock, retryMs);
  t.equal(emitter.waiting, 0);
  await pass(clock, checkpointMs);
  t.ok(notes.some((note) => /[-,]b$/.test(note)));
  t.equal(log.lines.filter(({ message }) => message.includes('cannot be spooled')).length, 1);
  disk.isFull = true;
  emit('c');
  await settled();
  t.equal(
    log.lines.filter(({ message }) => message.includes('cannot be spooled')).length,
    2,
    'a new fault is said anew',
  );
  disk.isFull = false;
  await emitter.stop();
});

t.test('where neither takes it an answer waits for a bounded time, and its event for either', async (t) => {
  const { emitter, emit, durable, disk, stream, clock } = setUp();
  emitter.start();
  disk.isFull = true;
  stream.isAway = true;
  emit('a');
  await pass(clock, sendMs - 1);
  t.strictSame(durable, []);
  await pass(clock, 1);
  t.strictSame(durable, ['a']);
  t.equal(emitter.waiting, 1);
  stream.isAway = false;
  await pass(clock, retryMs);
  t.equal(emitter.waiting, 0);
  disk.isFull = false;
  await emitter.stop();
});

t.test('memory holds a bounded number; the oldest go, with their ids in the log', async (t) => {
  const { emitter, disk, stream, log } = setUp();
  emitter.start();
  disk.isFull = true;
  stream.isAway = true;
  for (let n = 0; n < mostInMemory + 2; n += 1) emitter.emit(named(`e${n}`));
  await settled();
  t.equal(emitter.waiting, mostInMemory);
  const said = log.lines.filter(({ message }) => message === 'usage events are lost');
  t.match(said, [{ fields: { eventIds: ['e0', 'e1'] } }]);
  await t.rejects(emitter.stop(), /in memory only/);
  t.equal(disk.isOpen, false, 'closed all the same');
});

t.test('a flush sends what there is; what comes later is spooled, and sent by the end', async (t) => {
  const { emitter, emit, durable, disk, stream } = setUp();
  emitter.start();
  emit('a');
  await emitter.flush();
  t.strictSame(stream.sends, ['a']);
  emit('b');
  await settled();
  t.strictSame(durable, ['a', 'b']);
  t.strictSame(idsOf(disk.spooled), ['b']);
  await emitter.stop();
  t.strictSame(stream.sends, ['a', 'b']);
  await t.resolves(emitter.stop(), 'ending twice is ending once');
  emit('c');
  await settled();
  t.strictSame(durable, ['a', 'b'], 'waits for the next start');
  emitter.start();
  await settled();
  t.equal(stream.sends.at(-1), 'c');
  await emitter.stop();
});

t.test('a flush while the stream is away leaves all on the disk, and is content', async (t) => {
  const { emitter, emit, disk, stream } = setUp();
  emitter.start();
  stream.isAway = true;
  emit('a');
  await emitter.flush();
  t.strictSame(idsOf(disk.spooled), ['a']);
  await emitter.stop();
});

t.test('a disk that fails while reading is tried again, and what it held is sent as before', async (t) => {
  const { emitter, emit, disk, stream, clock, log } = setUp();
  emitter.start();
  const splice = disk.spooled.splice.bind(disk.spooled);
  disk.spooled.splice = () => {
    throw new Error('EIO');
  };
  emit('a');
  await settled();
  t.ok(log.lines.some(({ level, message }) => level === 'error' && message.includes('spool')));
  disk.spooled.splice = splice;
  await pass(clock, retryMs);
  t.strictSame(stream.sends, ['a', 'again a']);
  await emitter.stop();
});

t.test('the actor opens, flushes while the process drains, says what waits and closes', async (t) => {
  const { system, emitter, emit, disk, stream } = setUp();
  const hooks = new Map<string, () => Promise<void> | void>();
  let withdrawn = false;
  const on = (phase: string, _: string, act: () => Promise<void> | void) => {
    hooks.set(phase, act);
    return () => (withdrawn = true);
  };
  system.spawn('events', eventEmitterActor(emitter, { on } as unknown as Parameters<typeof eventEmitterActor>[1]));
  await settled();
  t.equal(disk.isOpen, true);
  stream.isAway = true;
  emit('a');
  await settled();
  t.match(system.snapshot().tree, [{ type: 'event-emitter', facts: { waiting: 1 } }]);
  stream.isAway = false;
  await hooks.get('flush')?.();
  t.equal(emitter.waiting, 0);
  await system.stop();
  t.ok(withdrawn);
  t.equal(disk.isOpen, false);
});

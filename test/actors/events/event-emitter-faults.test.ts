/** What the emitter does when its ports misbehave: ports in memory, a clock that stands still. */
import t from 'tap';
import { LIMITS } from '../../../config/limits.ts';
import { createEventEmitter } from '../../../actors/events/event-emitter.ts';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';
import { usageEvent } from '../../fixtures/usage-event.ts';

const { batch, gatherMs, retryMs, checkpointMs } = LIMITS.events;
const idsOf = (events: readonly Pick<UsageEvent, 'eventId'>[]) => events.map(({ eventId }) => eventId);
const named = (eventId: string) => usageEvent({ eventId });
const failIf = (fails: boolean, what: string) => {
  if (fails) throw new Error(what);
};

/** @param lost what the journal tells, once, as the real one does */
function setUp(left: readonly UsageEvent[] = [], lost: UsageEvent[] = []) {
  const test = createTestSystem();
  const spool = { isShut: false, isOpen: false, cannotClose: false, opens: 0, lines: [...left], peeked: 0 };
  const counted = { isWrong: false, progressFails: false };
  const journal = { isShut: false, isOpen: false, opens: 0, noted: [] as string[] };
  const stream = { taken: [] as string[], sends: 0, answer: async (): Promise<boolean> => true };
  const waiting = () => (spool.isOpen ? spool.lines.length : 0) + (counted.isWrong ? 3 : 0);
  const emitter = createEventEmitter({
    ...test,
    outlet: {
      send: async (events, sentBefore) => {
        stream.sends += 1;
        if (!(await stream.answer())) return events;
        stream.taken.push(...idsOf(events).filter((id) => !sentBefore || !stream.taken.includes(id)));
        return [];
      },
    },
    spool: {
      open: () => {
        spool.opens += 1;
        failIf(spool.isShut, 'EACCES');
        spool.isOpen = true;
      },
      append: (events) => {
        failIf(!spool.isOpen, 'not open');
        spool.lines.push(...events);
      },
      peek: (count) => {
        failIf(!spool.isOpen, 'not open');
        spool.peeked = Math.min(count, spool.lines.length);
        return spool.lines.slice(0, spool.peeked);
      },
      drop: () => {
        spool.lines.splice(0, spool.peeked);
        spool.peeked = 0;
      },
      close: () => {
        spool.isOpen = false;
        failIf(spool.cannotClose, 'EIO');
      },
      get waiting() {
        return waiting();
      },
      isSpent: false,
      noteProgress: () => failIf(counted.progressFails, 'ENOSPC'),
      holds: (ids) => {
        failIf(!spool.isOpen, 'not open');
        return new Set(idsOf(spool.lines).filter((id) => ids.has(id)));
      },
    },
    journal: {
      open: () => {
        journal.opens += 1;
        failIf(journal.isShut, 'EACCES');
        journal.isOpen = true;
        return lost.splice(0);
      },
      note: (admitted, endedIds) => {
        failIf(!journal.isOpen, 'not open');
        journal.noted.push(...idsOf(admitted).map((id) => `+${id}`), ...endedIds.map((id) => `-${id}`));
      },
      close: () => void (journal.isOpen = false),
    },
  });
  const emit = (...ids: string[]) => ids.forEach((id) => emitter.emit(named(id)));
  const said = (text: string) => test.log.lines.filter(({ message }) => message.includes(text)).length;
  return { ...test, emitter, emit, spool, counted, journal, stream, said };
}

t.test('two flushes at once send one batch at a time, and no event is dropped that was not sent', async (t) => {
  const { emitter, emit, spool, stream } = setUp();
  const ids = Array.from({ length: 4 * batch }, (_, n) => `e${n}`);
  const answers: ((isTaken: boolean) => void)[] = [];
  stream.answer = () => new Promise((resolve) => answers.push(resolve));
  emitter.start();
  emit(...ids);
  await settled();
  // The drain's deadline cuts the first off, then the actor ends: nobody waits for it, but it goes on.
  const flushed = [emitter.flush(), emitter.stop()];
  answers.shift()?.(false);
  for (const isTaken of [true, true, false, false, false]) {
    await settled();
    t.ok(answers.length <= 1, 'one sender');
    while (answers.length > 1) answers.shift()?.(isTaken);
    answers.shift()?.(isTaken);
  }
  await Promise.all(flushed);
  t.strictSame([...stream.taken, ...idsOf(spool.lines)], ids);
});

t.test('a spool whose count is wrong is opened anew, and nothing spins meanwhile', async (t) => {
  const { emitter, emit, spool, counted, stream, clock, said } = setUp();
  emitter.start();
  counted.isWrong = true;
  emit('a');
  await pass(clock, gatherMs);
  t.strictSame(stream.taken, ['a']);
  t.equal(stream.sends, 1, 'nothing is sent where there is nothing');
  t.equal(said('the spool cannot be read'), 1);
  await pass(clock, 4 * retryMs);
  t.equal(said('the spool cannot be read'), 1, 'said once');
  t.equal(spool.opens, 5, 'once at the start, then at each interval');
  counted.isWrong = false;
  emit('b');
  await pass(clock, retryMs);
  t.strictSame(stream.taken, ['a', 'b']);
  await emitter.stop();
});

t.test('what the disk takes while it is being sent from memory goes to the stream once', async (t) => {
  const { emitter, emit, spool, stream, clock } = setUp();
  const answers: ((isTaken: boolean) => void)[] = [];
  stream.answer = () => new Promise((resolve) => answers.push(resolve));
  spool.isShut = true;
  emitter.start();
  emit('a');
  await settled();
  t.equal(answers.length, 1, 'on its way');
  spool.isShut = false;
  await pass(clock, retryMs);
  emit('b');
  await settled();
  t.strictSame(idsOf(spool.lines), ['a', 'b']);
  stream.answer = async () => true;
  answers.shift()?.(true);
  await pass(clock, gatherMs);
  await emitter.stop();
  t.strictSame(stream.taken, ['a', 'b']);
  t.strictSame(spool.lines, []);
});

t.test('what an earlier process left is sent and told though the disk opened late and no request comes', async (t) => {
  const { emitter, spool, journal, stream, clock } = setUp([named('old')], [named('owed'), named('old')]);
  spool.isShut = true;
  emitter.start();
  await pass(clock, 3 * retryMs);
  t.strictSame(stream.taken, []);
  spool.isShut = false;
  await pass(clock, retryMs);
  await pass(clock, gatherMs);
  t.strictSame(stream.taken, ['old', 'owed'], 'the list that the journal gives once is kept');
  t.equal(journal.opens, 1);
  await pass(clock, checkpointMs);
  t.strictSame(journal.noted, ['-old', '-owed']);
  const { opens } = spool;
  await pass(clock, 10 * retryMs);
  t.equal(spool.opens, opens, 'then nothing is tried any more');
  await emitter.stop();
});

t.test('while the spool cannot be opened, admissions are noted as ever', async (t) => {
  const { emitter, spool, journal, said } = setUp([], [named('owed')]);
  spool.isShut = true;
  emitter.start();
  emitter.admit(named('a'));
  await settled();
  t.strictSame(journal.noted, ['+a']);
  t.equal(said('is reported once the spool can be read'), 1);
  emitter.emit(named('b'));
  await emitter.stop();
});

t.test('a journal that stays shut is tried twice a second, and keeps what is under way and no more', async (t) => {
  const { emitter, emit, journal, clock, said } = setUp();
  journal.isShut = true;
  emitter.start();
  emitter.admit(named('long'));
  for (let n = 0; n < 50; n += 1) {
    emitter.admit(named(`e${n}`));
    await settled(2);
    emit(`e${n}`);
    await settled(2);
  }
  t.equal(journal.opens, 1, 'not at every turn');
  // The first went alone, the others together.
  await pass(clock, 2 * gatherMs);
  t.equal(said('admissions cannot be noted'), 1);
  await pass(clock, 2 * retryMs);
  t.equal(journal.opens, 3);
  journal.isShut = false;
  await pass(clock, retryMs);
  t.strictSame(journal.noted, ['+long'], 'without a request');
  t.equal(said('admissions cannot be noted'), 1);
  await emitter.stop();
});

t.test('progress that cannot be noted is said once', async (t) => {
  const { emitter, emit, counted, clock, said } = setUp();
  emitter.start();
  counted.progressFails = true;
  for (const id of ['a', 'b', 'c']) {
    emit(id);
    await pass(clock, checkpointMs);
  }
  t.equal(said('what was sent cannot be noted'), 1);
  counted.progressFails = false;
  await emitter.stop();
});

t.test('the notes are closed also where the spool cannot be', async (t) => {
  const { emitter, spool, journal } = setUp();
  emitter.start();
  spool.cannotClose = true;
  await t.rejects(emitter.stop(), /EIO/);
  t.equal(journal.isOpen, false);
});

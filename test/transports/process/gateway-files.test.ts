import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import {
  gatewayFiles,
  GatewaySlots,
  slotFolder,
  slotLock,
  usedSlots,
} from '../../../transports/process/gateway-files.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { usageEvent } from '../../fixtures/usage-event.ts';

const events = (count: number) => Array.from({ length: count }, () => usageEvent());

function setUp(t: Test) {
  const gateway = join(temporaryFolder(t), 'gateway');
  const log = createMemoryLog();
  /** Writes as a gateway on that slot would, and ends as one that was killed. */
  const leave = (slot: number, spooled: readonly UsageEvent[], underWay: readonly UsageEvent[] = []) => {
    const { spool, journal } = gatewayFiles(slotFolder(gateway, slot), log);
    spool.open();
    journal.open();
    journal.note(underWay, []);
    spool.append(spooled);
  };
  /** What a gateway that starts there finds. */
  const find = (slot: number) => {
    const { spool, journal } = gatewayFiles(slotFolder(gateway, slot), log);
    spool.open();
    t.teardown(() => spool.close());
    return { spooled: spool.peek(10_000), underWay: journal.open() };
  };
  return { gateway, log, leave, find, slots: () => new GatewaySlots(gateway, log) };
}

t.test(
  'slots are given in order, and again once they are free; the first is where a single gateway has its files',
  async (t) => {
    const { gateway, slots } = setUp(t);
    const given = slots();
    t.strictSame([given.take(), given.take(), given.take()], [1, 2, 3]);
    given.release(2);
    t.equal(given.take(), 2);
    t.equal(given.take(), 4);
    t.equal(slotFolder(gateway, 1), gateway);
    t.strictSame(usedSlots(gateway), [1, 2, 3, 4]);
    t.strictSame(usedSlots(join(gateway, 'nowhere')), []);
  },
);

t.test('what gateways left in slots that nobody has goes to the next that starts, each event once', async (t) => {
  const { gateway, log, leave, find, slots } = setUp(t);
  const [own, second, fifth] = [events(2), events(700), events(1)];
  const [admitted, ended] = [usageEvent(), usageEvent()];
  leave(1, own);
  leave(2, [...second, ended], [admitted, ended]);
  leave(5, fifth);
  appendFileSync(join(slotFolder(gateway, 5), 'events.spool'), '00000000 damaged\n');
  writeFileSync(slotLock(slotFolder(gateway, 5)), '{}');
  const given = slots();
  t.ok(given.isOwed);
  t.equal(given.take(), 1);
  t.notOk(given.isOwed);
  t.strictSame(usedSlots(gateway), [1], 'nothing is left of the others');
  t.equal(readFileSync(join(gateway, 'events.spool.damaged'), 'utf8'), '00000000 damaged\n');
  const found = find(1);
  t.same(found.spooled, [...own, ...second, ended, ...fifth]);
  t.same(
    found.underWay.map(({ eventId, outcome }) => ({ eventId, outcome })),
    [{ eventId: admitted.eventId, outcome: 'lost' }],
    'one whose event was in the spool has ended',
  );
  const said = log.lines.map(({ message }) => message);
  t.match(said, ['what a gateway left was taken over', 'a spooled event is damaged and was set aside', /taken over/]);
});

t.test(
  'what the first slot left goes to another where that is the free one, and slots in use are left alone',
  async (t) => {
    const { leave, find, slots } = setUp(t);
    const given = slots();
    t.strictSame([given.take(), given.take(), given.take()], [1, 2, 3]);
    const [first, second, third] = [events(3), events(4), events(5)];
    leave(1, first, [usageEvent()]);
    leave(2, second);
    leave(3, third);
    t.notOk(given.isOwed, 'those that have their slots send what is in them');
    given.release(3);
    given.release(1);
    t.ok(given.isOwed);
    t.equal(given.take(), 1);
    t.same(find(1).spooled, [...first, ...third]);
    t.same(find(2).spooled, second);
  },
);

t.test('what cannot be moved stays, and holds up no start', async (t) => {
  const { gateway, log, leave, slots } = setUp(t);
  leave(2, events(1));
  mkdirSync(join(gateway, 'events.spool', 'in-the-way'), { recursive: true });
  const given = slots();
  t.equal(given.take(), 1);
  t.match(log.lines, [{ level: 'error', message: /cannot be taken over/ }]);
  t.ok(existsSync(join(slotFolder(gateway, 2), 'events.spool')));

  const other = setUp(t);
  mkdirSync(join(slotFolder(other.gateway, 3), 'events.spool'), { recursive: true });
  t.notOk(other.slots().isOwed);
  t.match(other.log.lines, [{ level: 'error', message: /cannot be read/ }]);
});

import t from 'tap';
import { gatherSettlements } from '../../../actors/credits/gathered-settlement.ts';
import type { PricedEvent, Settlement, SettlementVerdict } from '../../../actors/credits/settlement.ts';
import { pricedEvent } from '../../fixtures/priced-event.ts';
import { settled } from '../../fixtures/settled.ts';

const account = { userId: 'user', deviceId: 'device' };
const event = () => pricedEvent(account, 1);

/** A settlement that answers when it is told to. */
function heldSettlement() {
  const calls: { readonly events: readonly PricedEvent[]; finish(error?: Error): void }[] = [];
  const settlement: Settlement = {
    settle: (events) =>
      new Promise((resolve, reject) => {
        const verdicts = events.map(({ eventId }): SettlementVerdict => ({ outcome: 'unknown_user', eventId }));
        calls.push({ events, finish: (error) => (error === undefined ? resolve(verdicts) : reject(error)) });
      }),
  };
  return { calls, gathered: gatherSettlements(settlement) };
}

t.test('starts at once while a lane is free, and gathers what arrives meanwhile', async (t) => {
  const { calls, gathered } = heldSettlement();
  const requests = Array.from({ length: 6 }, () => [event(), event()]);
  const answers = requests.map((events) => gathered.settle(events));
  t.strictSame(
    calls.map((call) => call.events.length),
    [2, 2],
    'two lanes, nothing waited for',
  );
  calls[0]?.finish();
  await settled();
  t.equal(calls[2]?.events.length, 8, 'the other four went together');
  calls[1]?.finish();
  calls[2]?.finish();
  for (const [index, answer] of (await Promise.all(answers)).entries()) {
    t.strictSame(
      answer.map((verdict) => verdict.eventId),
      requests[index]?.map((one) => one.eventId),
      'each request gets its own verdicts in its order',
    );
  }
});

t.test('never gathers more than one call may hold, and never splits a request', async (t) => {
  const { calls, gathered } = heldSettlement();
  const sizes = [1, 1, 300, 150, 100, 500];
  const answers = sizes.map((size) => gathered.settle(Array.from({ length: size }, event)));
  for (let next = 0; next < 5; next += 1) {
    calls[next]?.finish();
    await settled();
  }
  t.strictSame(
    calls.map((call) => call.events.length),
    [1, 1, 450, 100, 500],
  );
  await Promise.all(answers);
});

t.test('while the store is away every waiting request hears of it, and the next one is tried again', async (t) => {
  const { calls, gathered } = heldSettlement();
  const answers = Array.from({ length: 4 }, () => gathered.settle([event()]));
  const outcomes = Promise.allSettled(answers);
  for (let next = 0; next < 3; next += 1) {
    calls[next]?.finish(new Error('away'));
    await settled();
  }
  t.ok((await outcomes).every(({ status }) => status === 'rejected'));
  const later = gathered.settle([event()]);
  calls[3]?.finish();
  t.equal((await later).length, 1);
});

t.test('a full call takes just as many as it may hold, and a larger request goes by itself', async (t) => {
  const { calls, gathered } = heldSettlement();
  const sizes = [1, 1, 300, 200, 501, 1];
  const answers = sizes.map((size) => gathered.settle(Array.from({ length: size }, event)));
  for (let next = 0; next < 5; next += 1) {
    calls[next]?.finish();
    await settled();
  }
  t.strictSame(
    calls.map((call) => call.events.length),
    [1, 1, 500, 501, 1],
  );
  await Promise.all(answers);
});

t.test('there are never more than two transactions at once, however often they were idle', async (t) => {
  const { calls, gathered } = heldSettlement();
  const first = [gathered.settle([event()]), gathered.settle([event()])];
  calls.forEach((call) => call.finish());
  await Promise.all(first);
  await settled();
  const later = Array.from({ length: 5 }, () => gathered.settle([event()]));
  t.equal(calls.length, 4);
  calls[2]?.finish();
  calls[3]?.finish();
  await settled();
  calls[4]?.finish();
  await Promise.all(later);
});

/** Settling over ports in memory: what each event becomes, and who hears of it. */
import t from 'tap';
import { settleEvents } from '../../../actors/credits/settle-events.ts';
import type { PricedEvent, SettlementVerdict } from '../../../actors/credits/settlement.ts';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import type { SequencedMessage } from '../../../actors/sessions/desktop-protocol.ts';
import { VelloError } from '../../../config/errors.ts';
import { createMemoryGrants } from '../../fixtures/memory-grants.ts';
import { settled } from '../../fixtures/settled.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';
import { usageEventFields } from '../../fixtures/usage-event.ts';

const ANN = '00000000-0000-7000-8000-00000000000a';
const BEN = '00000000-0000-7000-8000-00000000000b';
const DEVICE = '00000000-0000-7000-8000-0000000000dd';

type Settled = Extract<SettlementVerdict, { outcome: 'settled' }>;

/** Settles every event but as `decide` says, which is given each priced event and its place. */
function createSettling(
  decide: (event: PricedEvent, place: number) => Partial<Settled> | SettlementVerdict = () => ({}),
) {
  const grants = createMemoryGrants();
  const log = createMemoryLog();
  const asked: (readonly PricedEvent[])[] = [];
  const told: { readonly deviceId: string; readonly message: SequencedMessage }[] = [];
  const costs = new Map([
    ['large', { creditsPer1kInput: 10, creditsPer1kOutput: 0, minimumCredits: 2 }],
    ['*', { creditsPer1kInput: 1, creditsPer1kOutput: 0, minimumCredits: 3 }],
  ]);
  const reads = { costs: 0 };
  const verdictOn = (event: PricedEvent, place: number): SettlementVerdict => ({
    ...{ outcome: 'settled', eventId: event.eventId, jobId: `job ${place}`, userId: event.userId },
    ...{ deviceId: event.deviceId, creditsDeducted: event.credits, balance: 1_000_000 },
    ...{ duplicate: false, exhausted: false, messageSeq: 7 + place },
    ...decide(event, place),
  });
  const parts = {
    settlement: {
      settle: async (events: readonly PricedEvent[]): Promise<readonly SettlementVerdict[]> => {
        asked.push(events);
        return events.map(verdictOn);
      },
    },
    costs: { read: async () => ((reads.costs += 1), costs) },
    notifier: {
      notify: async (deviceId: string, message: SequencedMessage): Promise<void> =>
        void told.push({ deviceId, message }),
    },
    grants,
    log,
  };
  const settle = (...events: Readonly<Record<string, unknown>>[]) => settleEvents(parts, events);
  return { parts, settle, asked, told, grants, log, costs, reads };
}

const event = (changes: Partial<UsageEvent> = {}) => usageEventFields({ userId: ANN, deviceId: DEVICE, ...changes });
const codeOf = (result: unknown) => (result instanceof VelloError ? result.code : 'settled');

t.test('an event becomes a job, and its device is told what it cost', async (t) => {
  const { settle, told, grants, log } = createSettling();
  const sent = event({ audioSeconds: 9 });
  t.strictSame(await settle(sent), [{ jobId: 'job 0', creditsDeducted: 50, balance: 1_000_000, duplicate: false }]);
  t.strictSame(told, [
    {
      deviceId: DEVICE,
      message: {
        ...{ type: 'job_created', seq: 7, job_id: 'job 0', event_id: sent.event_id },
        ...{ session_id: sent.session_id, credits_deducted: 50, balance: 1_000_000 },
      },
    },
  ]);
  t.strictSame(grants.operations, []);
  t.strictSame(log.lines, []);
});

t.test(
  'an event that cannot be read, or names nobody, has its own error, and its neighbours are settled',
  async (t) => {
    const { settle, asked, told } = createSettling();
    const good = [event(), event()];
    const [noUser, noDevice] = [usageEventFields({ deviceId: DEVICE }), usageEventFields({ userId: ANN })];
    const results = await settle({ v: '1' }, good[0]!, noUser, noDevice, good[1]!);
    t.strictSame(results.map(codeOf), ['EVENT_MALFORMED', 'settled', 'USER_UNKNOWN', 'USER_UNKNOWN', 'settled']);
    t.match(results, [{}, { jobId: 'job 0' }, { detail: 'The event names nobody.' }, {}, { jobId: 'job 1' }]);
    t.strictSame(
      asked.map((events) => events.map(({ eventId }) => eventId)),
      [good.map(({ event_id }) => event_id)],
      'in one transaction',
    );
    t.match(told, [{ message: { event_id: good[0]!.event_id } }, { message: { event_id: good[1]!.event_id } }]);
  },
);

t.test('where nothing can be settled the store is not asked', async (t) => {
  const { settle, asked } = createSettling();
  t.strictSame((await settle({})).map(codeOf), ['EVENT_MALFORMED']);
  t.strictSame(asked, []);
});

t.test(
  'processing costs by the rule of its model, or the general one, or the least where both were deleted',
  async (t) => {
    const { settle, asked, costs, reads } = createSettling();
    const of = (model: string) => event({ type: 'process', model, usage: { prompt_tokens: 9000 } });
    await settle(of('large'), of('small'), event({ type: 'process', model: 'small' }));
    t.strictSame(
      asked[0]?.map(({ credits }) => credits),
      [90, 9, 3],
    );
    costs.clear();
    await settle(event(), of('large'));
    t.equal(asked[1]?.[1]?.credits, 1);
    t.equal(reads.costs, 2, 'read anew, once for all events of a call');
    await settle(event(), {});
    t.equal(reads.costs, 2, 'speech has no rules');
  },
);

t.test('an event of an unknown user, and one that cannot be stored, say so', async (t) => {
  const outcomes = ['unknown_user', 'refused'] as const;
  const { settle, told, grants } = createSettling(({ eventId }, place) => {
    const outcome = outcomes[place];
    return outcome === undefined ? {} : { outcome, eventId };
  });
  const results = await settle(event(), event(), event());
  t.strictSame(results.map(codeOf), ['USER_UNKNOWN', 'EVENT_MALFORMED', 'settled']);
  t.match(results[1], { detail: 'The event holds a value that cannot be stored.' });
  t.equal(told.length, 1);
  t.strictSame(grants.operations, []);
});

t.test('who has nothing left is suspended once, before the answer', async (t) => {
  const { settle, grants } = createSettling(({ userId }) => ({ exhausted: userId === ANN, balance: 0 }));
  const results = await settle(event(), event(), event({ userId: BEN }));
  t.strictSame(results.map(codeOf), ['settled', 'settled', 'settled']);
  t.strictSame(grants.operations, [
    { op: 'suspend', userId: ANN },
    { op: 'limit', userId: BEN, requestsAtOnce: 1 },
  ]);
});

t.test('where a suspension fails the events of that user are asked for again, and only those', async (t) => {
  const { parts, settle, log, told } = createSettling(({ userId }) => ({ exhausted: userId === ANN }));
  parts.grants.suspend = async () => Promise.reject(new Error('away'));
  const results = await settle(event(), event({ userId: BEN }));
  t.strictSame(results.map(codeOf), ['UNAVAILABLE', 'settled']);
  t.match(results[0], { detail: 'The gateway could not be told.' });
  t.match(log.lines, [{ level: 'warn', fields: { userId: ANN, error: { message: 'away' } } }]);
  t.equal(told.length, 2, 'it is settled all the same');
});

t.test('a small balance bounds what its user may have under way, by the least that a call left', async (t) => {
  const balances = [5000, 100, 700, 900_000];
  const { settle, grants } = createSettling((_, place) => ({ balance: balances[place] ?? 0 }));
  await settle(event({ userId: BEN }), event(), event(), event({ userId: DEVICE }));
  t.strictSame(grants.operations, [
    { op: 'limit', userId: BEN, requestsAtOnce: 8 },
    { op: 'limit', userId: ANN, requestsAtOnce: 1 },
  ]);
});

t.test('a repeated event tells nobody anything, for what it says is old', async (t) => {
  const { settle, grants, told } = createSettling(() => ({ duplicate: true, balance: 5, messageSeq: undefined }));
  t.match(await settle(event()), [{ duplicate: true, balance: 5 }]);
  t.strictSame([grants.operations, told], [[], []]);
});

t.test('a repeated event suspends whom its first time could not', async (t) => {
  const { settle, grants } = createSettling(() => ({ duplicate: true, exhausted: true, messageSeq: undefined }));
  await settle(event());
  t.strictSame(grants.operations, [{ op: 'suspend', userId: ANN }]);
});

t.test('gateways and devices that cannot be told hold nothing up', async (t) => {
  const { parts, settle, log } = createSettling(() => ({ balance: 5 }));
  parts.grants.limit = async () => Promise.reject(new Error('away'));
  parts.notifier.notify = async () => Promise.reject(new Error('gone'));
  t.strictSame((await settle(event())).map(codeOf), ['settled']);
  await settled();
  t.match(log.lines, [
    { level: 'warn', fields: { userId: ANN, error: { message: 'away' } } },
    { level: 'warn', fields: { deviceId: DEVICE, error: { message: 'gone' } } },
  ]);
  parts.grants.limit = () => new Promise(() => undefined);
  parts.notifier.notify = () => new Promise(() => undefined);
  t.strictSame((await settle(event())).map(codeOf), ['settled'], 'nor those that do not answer');
});

t.test('a failure of the store is the failure of the call, and so is an answer that leaves an event out', async (t) => {
  const { parts, settle, told } = createSettling();
  parts.settlement.settle = async () => Promise.reject(new Error('away'));
  await t.rejects(settle(event()), { message: 'away' });
  parts.settlement.settle = async () => [];
  await t.rejects(settle(event()), /fewer verdicts/);
  t.strictSame(told, []);
});

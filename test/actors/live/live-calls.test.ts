import t from 'tap';
import { createAdmission } from '../../../actors/admission/admission.ts';
import { createGrantTable } from '../../../actors/admission/grant-table.ts';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import type { LiveStart } from '../../../actors/live/describe-live.ts';
import { createLiveCalls } from '../../../actors/live/live-calls.ts';
import type { SpeechLineListener } from '../../../actors/live/speech-line.ts';
import { LIMITS } from '../../../config/limits.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createMemorySocket, liveStart } from '../../fixtures/live-call.ts';
import { pass, settled } from '../../fixtures/settled.ts';
import { grantOf } from '../../fixtures/test-gateway.ts';

const good = grantOf('good', 0);
const idOf = (index: number) => `01939f5e-7f00-7000-8000-${String(index).padStart(12, '0')}`;

/** Live transcriptions as actors of a system on a manual clock; none of their lines leads anywhere. */
function setUp(requestsPerUser = 10_000) {
  const { system, clock, log, metrics } = createTestSystem();
  const table = createGrantTable(() => clock.now());
  const admission = createAdmission({
    table,
    source: { find: async () => undefined },
    requestsPerUser,
    clock,
    metrics,
  });
  const [events, admitted]: [UsageEvent[], UsageEvent[]] = [[], []];
  const sink = {
    admit: (event: UsageEvent) => void admitted.push(event),
    emit: (event: UsageEvent, onDurable?: () => void) => {
      events.push(event);
      onDurable?.();
    },
  };
  const state = { isUp: true, lineFails: false };
  const listeners: SpeechLineListener[] = [];
  const openLine = (listener: SpeechLineListener) => {
    if (state.lineFails) throw new Error('no such address');
    listeners.push(listener);
    return { send: () => true, commit: () => undefined, end: () => undefined, close: () => undefined };
  };
  const calls = createLiveCalls({
    ...{ admission, events: sink, clock, log, metrics },
    children: {
      start: (id, definition) => {
        if (!state.isUp) throw new Error('no supervisor is running');
        return system.spawn(id, definition());
      },
    },
  });
  const open = (index: number, more: Partial<LiveStart> = {}) =>
    calls.open(liveStart({ liveId: idOf(index), eventId: idOf(index), ...more }), openLine);
  return { calls, open, events, admitted, listeners, table, system, clock, log, metrics, state };
}

t.test('a transcription is found by its id, and by nobody but its own device', async (t) => {
  const { calls, open } = setUp();
  const call = open(1);
  t.equal(calls.resume(idOf(1), good), call);
  for (const stranger of [{ ...good, userId: 'mallory' }, { ...good, deviceId: 'another' }, {}]) {
    t.throws(() => calls.resume(idOf(1), stranger), { code: 'LIVE_UNKNOWN' });
  }
  t.throws(() => calls.resume(idOf(2), good), { code: 'LIVE_UNKNOWN' });
});

t.test('its actor keeps time for it, and ends with it', async (t) => {
  const { calls, open, events, clock, metrics } = setUp();
  open(1);
  await pass(clock, LIMITS.live.lingerMs - LIMITS.live.tickMs);
  t.equal(calls.activeCount, 1);
  metrics.scrape();
  t.equal(metrics.value('vello_gateway_live_sessions'), 1);
  await pass(clock, 3 * LIMITS.live.tickMs);
  t.match(events, [{ outcome: 'client_abort' }]);
  t.equal(calls.activeCount, 0);
  metrics.scrape();
  t.equal(metrics.value('vello_actor_stopped_total', { type: 'live-session', reason: 'normal' }), 1);
  t.throws(() => calls.resume(idOf(1), good), { code: 'LIVE_UNKNOWN' });
  t.equal(clock.pendingTimers, 0);
});

t.test('what let its desktop in ends it when it is revoked, and after a return what let it in then', async (t) => {
  const { calls, open, events, table } = setUp();
  const call = open(1);
  const socket = createMemorySocket();
  call.attach(socket, 0);
  calls.resume(idOf(1), { ...good, familyId: 'family-2' });
  await settled();
  table.apply({ op: 'revoke', scope: { familyId: good.familyId } });
  await settled();
  t.equal(events.length, 0, 'the old family has nothing to do with it any more');
  table.apply({ op: 'revoke', scope: { familyId: 'family-2' } });
  await settled();
  t.match(events, [{ outcome: 'client_abort' }]);
  t.match(socket.last('error'), { code: 'AUTH_TOKEN_UNKNOWN' });
  t.equal(socket.closed, 4401);
});

t.test('it counts among the requests of its user, once, until its event is out', async (t) => {
  const { calls, open, events, admitted } = setUp(1);
  const call = open(1);
  t.throws(() => open(2), { code: 'RATE_LIMITED' });
  calls.resume(idOf(1), good);
  t.throws(() => open(2), { code: 'RATE_LIMITED' }, 'a return takes no second place, and gives none away');
  t.equal(admitted.length, 1, 'what was refused owes no event');
  await settled();
  call.shutDown();
  t.equal(events.length, 1);
  open(3);
});

t.test('a return that is refused leaves it as it was: counted, and ended with what let its desktop in', async (t) => {
  const { calls, open, events, table } = setUp(3);
  const call = open(1);
  open(2);
  const socket = createMemorySocket();
  call.attach(socket, 0);
  await settled();
  const poorer = { ...good, familyId: 'family-2', requestsAtOnce: 1 };
  t.throws(() => calls.resume(idOf(1), poorer), { code: 'RATE_LIMITED' });
  t.equal(socket.closed, undefined);
  open(3);
  t.throws(() => open(4), { code: 'RATE_LIMITED' }, 'it still has its place');
  t.equal(calls.resume(idOf(1), { ...poorer, requestsAtOnce: 3 }), call, 'all three are his: one more may take over');
  t.throws(() => calls.resume(idOf(1), poorer), { code: 'RATE_LIMITED' });
  table.apply({ op: 'revoke', scope: { familyId: 'family-2' } });
  await settled();
  t.match(events, [{ eventId: idOf(1), outcome: 'client_abort' }]);
  t.equal(socket.closed, 4401);
});

t.test('there are so many at once and no more', async (t) => {
  const { open } = setUp();
  for (let index = 0; index < LIMITS.live.sessions; index += 1) open(index);
  t.throws(() => open(LIMITS.live.sessions), { code: 'UNAVAILABLE' });
});

t.test('while its supervisor is away none begins, and nobody is counted for it', async (t) => {
  const { open, state, admitted } = setUp(1);
  state.isUp = false;
  t.throws(() => open(1), { code: 'UNAVAILABLE' });
  t.equal(admitted.length, 0);
  state.isUp = true;
  open(2);
});

t.test('a failure of ours costs the one, which is told and reported', async (t) => {
  const { calls, open, events, listeners, metrics } = setUp();
  const [first, second] = [open(1), open(2)];
  const socket = createMemorySocket();
  first.attach(socket, 0);
  await settled();
  listeners[0]?.fault(new Error('odd'));
  await settled();
  t.match(events, [{ eventId: idOf(1), outcome: 'upstream_error' }]);
  t.match(socket.last('error'), { code: 'INTERNAL' });
  metrics.scrape();
  t.equal(metrics.value('vello_actor_stopped_total', { type: 'live-session', reason: 'crashed' }), 1);
  t.equal(calls.activeCount, 1);
  t.equal(calls.resume(idOf(2), good), second);
});

t.test('one whose provider cannot even be called is told and reported', async (t) => {
  const { open, events, state, calls } = setUp();
  state.lineFails = true;
  const socket = createMemorySocket();
  open(1).attach(socket, 0);
  await settled();
  t.match(events, [{ outcome: 'upstream_error', attempts: 1 }]);
  t.match(socket.last('error'), { code: 'INTERNAL' });
  t.equal(calls.activeCount, 0);
});

t.test(
  'a stop brings all to an end, cuts short those that do not come to one, and keeps what nobody fetched',
  async (t) => {
    const { calls, open, events, listeners, clock } = setUp();
    const [quick, slow, alone] = [open(1), open(2), open(3)];
    const sockets = [createMemorySocket(), createMemorySocket()] as const;
    for (const [index, call] of [quick, slow].entries()) {
      const socket = sockets[index] ?? createMemorySocket();
      call.attach(socket, 0);
      await settled();
      listeners[index]?.wanted();
      call.take(socket, { type: 'audio', frame: new Uint8Array(32_000) });
    }
    listeners[2]?.final('a', 'Nobody heard this.', {});
    let isDrained = false;
    const drained = Promise.all([calls.drain(10_000), calls.drain(10_000)]).then(() => (isDrained = true));
    await settled();
    listeners[0]?.done();
    listeners[2]?.done();
    await pass(clock, 9_999);
    t.match(events, [{ outcome: 'ok' }]);
    t.match(sockets[0].last('end'), { reason: 'restart' });
    t.notOk(isDrained);
    await pass(clock, 1);
    await drained;
    const outcomes = Object.fromEntries(events.map(({ eventId, outcome, result }) => [eventId, result ?? outcome]));
    t.same(outcomes, { [idOf(1)]: 'ok', [idOf(2)]: 'shutdown', [idOf(3)]: 'Nobody heard this.' });
    t.match(sockets[1].last('error'), { code: 'SHUTTING_DOWN', retryable: true });
    t.equal(sockets[1].closed, 1012);
    t.equal(alone.isWorthMeeting, true);
    await calls.drain(10_000);
  },
);

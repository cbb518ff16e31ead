import t from 'tap';
import { sourceAddress } from '../../../actors/bounds/source-address.ts';
import type { Reply } from '../../../actors/kernel/ref.ts';
import type { DeviceBus } from '../../../actors/sessions/device-channels.ts';
import { createDeviceFollowers } from '../../../actors/sessions/device-followers.ts';
import {
  deviceSession,
  type SessionMessage,
  type SessionParts,
  type SessionSocket,
} from '../../../actors/sessions/device-session.ts';
import type { ServerMessage } from '../../../actors/sessions/desktop-protocol.ts';
import { LIMITS } from '../../../config/limits.ts';
import { VelloError } from '../../../config/errors.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createMemoryDeviceMessages } from '../../fixtures/memory-device-messages.ts';
import { pass, settled } from '../../fixtures/settled.ts';

const DEVICE = 'device-1';
const HOME = sourceAddress('192.0.2.1');

/** A desktop that reads `capacity` messages and then no more until it is told to. */
function openSocket(capacity = Infinity) {
  const sent: ServerMessage[] = [];
  const state = { left: capacity, isClosed: false, closedWith: undefined as number | undefined, familyId: 'family' };
  const socket: SessionSocket = {
    get isClosed() {
      return state.isClosed;
    },
    send: (message) => {
      sent.push(message);
      state.left -= 1;
      return state.left > 0;
    },
    close: (code) => (state.closedWith ??= code),
    renew: ({ familyId }) => (state.familyId = familyId),
  };
  const numbers = () => sent.flatMap((message) => ('seq' in message ? [message.seq] : []));
  return { socket, sent, state, numbers };
}

function setUp() {
  const { clock, system, metrics } = createTestSystem();
  const messages = createMemoryDeviceMessages();
  messages.add(DEVICE);
  const followers = createDeviceFollowers();
  let fence = 0;
  const bus: Pick<DeviceBus, 'announceSession'> = { announceSession: async () => (fence += 1) };
  const principal = { userId: 'user', deviceId: DEVICE, familyId: 'family', expiresAtMs: clock.now() + 900_000 };
  const parts: SessionParts = {
    auth: {
      verifyAccess: async (token, address) => {
        if (address !== HOME) throw new Error(`${address} pays`);
        if (token === 'bad') throw new VelloError('AUTH_TOKEN_EXPIRED');
        if (token === 'another device')
          return { ...principal, deviceId: 'device-2', expiresAtMs: clock.now() + 900_000 };
        if (token === 'another user') return { ...principal, userId: 'mallory', expiresAtMs: clock.now() + 900_000 };
        return { ...principal, familyId: 'later family', expiresAtMs: clock.now() + 900_000 };
      },
    },
    ...{ messages, bus, followers, metrics, random: () => 0.5 },
  };
  const session = system.spawn<SessionMessage>('session', deviceSession(parts, DEVICE));
  const arrive = (socket: SessionSocket) =>
    session.ask(
      (reply: Reply<void>) => ({
        type: 'arrived',
        arrival: { socket, principal, clockOffsetMs: -40, address: HOME },
        reply,
      }),
      LIMITS.sessions.welcomeMs,
    );
  const notify = (seq: number) => followers.notice(DEVICE, { type: 'message', message: { type: 'job_created', seq } });
  return { clock, system, messages, followers, session, arrive, notify };
}

t.test('hello comes first, with what the desktop needs to know', async (t) => {
  const { messages, arrive } = setUp();
  messages.put(DEVICE);
  const desktop = openSocket();
  await arrive(desktop.socket);
  t.match(desktop.sent[0], {
    type: 'hello',
    server_time: '2025-11-21T04:40:00.000Z',
    clock_offset_ms: -40,
    epoch: `epoch of ${DEVICE}`,
    last_seq: 1,
  });
  t.strictSame(desktop.numbers(), [1]);
});

t.test('a desktop that does not keep up is left alone, gets the rest when it does, and nothing twice', async (t) => {
  const { clock, messages, session, arrive, notify } = setUp();
  const desktop = openSocket(3);
  for (let count = 0; count < 6; count += 1) messages.put(DEVICE);
  await arrive(desktop.socket);
  t.strictSame(desktop.numbers(), [1, 2], 'hello and two messages filled it');
  notify(messages.put(DEVICE));
  await pass(clock, LIMITS.sessions.slowConsumerMs - 1);
  t.strictSame(desktop.numbers(), [1, 2]);
  desktop.state.left = Infinity;
  session.tell({ type: 'drained', socket: desktop.socket });
  await settled();
  t.strictSame(desktop.numbers(), [1, 2, 3, 4, 5, 6, 7]);
  await pass(clock, LIMITS.sessions.slowConsumerMs);
  t.equal(desktop.state.closedWith, undefined);
});

t.test('a desktop that stays behind is closed as a slow consumer, and its messages wait', async (t) => {
  const { clock, messages, arrive } = setUp();
  const stalled = openSocket(2);
  for (let count = 0; count < 4; count += 1) messages.put(DEVICE);
  await arrive(stalled.socket);
  await pass(clock, LIMITS.sessions.slowConsumerMs);
  t.equal(stalled.state.closedWith, 4408);
  const back = openSocket();
  await arrive(back.socket);
  t.strictSame(back.numbers(), [1, 2, 3, 4]);
});

t.test('notices out of order, repeated or lost never reorder, repeat or lose a message', async (t) => {
  const { messages, arrive, notify, followers } = setUp();
  const desktop = openSocket();
  await arrive(desktop.socket);
  for (let count = 0; count < 5; count += 1) messages.put(DEVICE);
  for (const seq of [3, 1, 2, 5, 5, 4]) notify(seq);
  await settled();
  t.strictSame(desktop.numbers(), [1, 2, 3, 4, 5]);
  messages.put(DEVICE);
  followers.reconnected();
  await settled();
  t.strictSame(desktop.numbers(), [1, 2, 3, 4, 5, 6], 'a lost connection to the bus is made good from the outbox');
});

t.test('a token that ends takes the socket with it; one renewed in time does not', async (t) => {
  const { clock, session, arrive } = setUp();
  const desktop = openSocket();
  await arrive(desktop.socket);
  await pass(clock, 800_000);
  session.tell({ type: 'received', socket: desktop.socket, message: { type: 'refresh', access_token: 'good' } });
  await pass(clock, 800_000);
  t.equal(desktop.state.closedWith, undefined);
  session.tell({ type: 'received', socket: desktop.socket, message: { type: 'refresh', access_token: 'bad' } });
  await settled();
  t.match(desktop.sent.at(-1), { type: 'error', code: 'AUTH_TOKEN_EXPIRED' });
  await pass(clock, 100_001);
  t.equal(desktop.state.closedWith, 4401);
});

t.test('a higher fence ends the session here; an own or lower one does not', async (t) => {
  const { followers, arrive } = setUp();
  const desktop = openSocket();
  await arrive(desktop.socket);
  followers.notice(DEVICE, { type: 'session', fence: 1 });
  await settled();
  t.equal(desktop.state.closedWith, undefined);
  followers.notice(DEVICE, { type: 'session', fence: 2 });
  await settled();
  t.equal(desktop.state.closedWith, 4409);
});

t.test('resume is whole or not at all', async (t) => {
  const { messages, session, arrive } = setUp();
  for (let count = 0; count < 4; count += 1) messages.put(DEVICE);
  await messages.acknowledge({ userId: 'user', deviceId: DEVICE }, 2);
  const desktop = openSocket();
  await arrive(desktop.socket);
  const resume = async (epoch: string, seq: number) => {
    session.tell({ type: 'received', socket: desktop.socket, message: { type: 'resume', epoch, seq } });
    await settled();
    const answer = desktop.sent.at(-1);
    return answer?.type === 'resumed' ? answer.recovered : undefined;
  };
  const epoch = `epoch of ${DEVICE}`;
  t.strictSame(
    [
      await resume(epoch, 1),
      await resume(epoch, 2),
      await resume(epoch, 4),
      await resume(epoch, 9),
      await resume('x', 2),
    ],
    [false, true, true, false, false],
  );
});

t.test('a store that is away fails the session and closes the socket, so that the desktop comes back', async (t) => {
  const { system, messages, arrive, notify } = setUp();
  const desktop = openSocket();
  await arrive(desktop.socket);
  messages.breakDown();
  notify(7);
  await settled();
  t.equal(desktop.state.closedWith, 1011);
  t.equal(system.resolve('session'), undefined);
});

t.test('a session outlives its socket by the time to linger, and no longer', async (t) => {
  const { clock, system, session, followers, arrive } = setUp();
  const first = openSocket();
  await arrive(first.socket);
  session.tell({ type: 'closed', socket: first.socket });
  await pass(clock, LIMITS.sessions.lingerMs - 1);
  t.equal(followers.count, 1);
  const second = openSocket();
  await arrive(second.socket);
  await pass(clock, LIMITS.sessions.lingerMs * 2);
  t.equal(second.state.closedWith, undefined, 'a desktop that came back stays');
  session.tell({ type: 'closed', socket: second.socket });
  await pass(clock, LIMITS.sessions.lingerMs);
  t.equal(system.resolve('session'), undefined);
  t.equal(followers.count, 0);
});

t.test(
  'a socket whose close found no room in the mailbox is over with the next message, and says nothing more',
  async (t) => {
    const { clock, system, session, arrive } = setUp();
    const desktop = openSocket();
    await arrive(desktop.socket);
    desktop.state.isClosed = true;
    session.tell({ type: 'received', socket: desktop.socket, message: { type: 'ping' } });
    await settled();
    t.equal(desktop.sent.at(-1)?.type, 'hello');
    await pass(clock, LIMITS.sessions.lingerMs);
    t.equal(system.resolve('session'), undefined);
  },
);

t.test(
  'a socket renewed with the token of another sign-in ends with that one; the token of somebody else renews nothing',
  async (t) => {
    const { session, arrive } = setUp();
    const desktop = openSocket();
    await arrive(desktop.socket);
    const renew = async (token: string) => {
      session.tell({ type: 'received', socket: desktop.socket, message: { type: 'refresh', access_token: token } });
      await settled();
      return desktop.sent.at(-1);
    };
    for (const token of ['another device', 'another user']) {
      t.match(await renew(token), { type: 'error', code: 'AUTH_TOKEN_INVALID' }, token);
      t.equal(desktop.state.familyId, 'family', token);
    }
    t.match(await renew('good'), { type: 'refreshed' });
    t.equal(desktop.state.familyId, 'later family');
  },
);

t.test('a desktop cannot acknowledge what was not sent to it', async (t) => {
  const { messages, session, arrive } = setUp();
  for (let n = 0; n < 4; n += 1) messages.put(DEVICE);
  const desktop = openSocket(3);
  await arrive(desktop.socket);
  t.ok(desktop.numbers().length < 4, 'it does not keep up');
  session.tell({ type: 'received', socket: desktop.socket, message: { type: 'ack', seq: 1000 } });
  await settled();
  const { messages: kept } = await messages.read({ userId: 'user', deviceId: DEVICE }, 0, 10);
  t.equal(kept[0]?.seq, (desktop.numbers().at(-1) ?? 0) + 1);
});

t.test('a desktop is answered, and told when the server stops', async (t) => {
  const { arrive, session, system, clock } = setUp();
  const { socket, sent, state } = openSocket();
  await arrive(socket);
  session.tell({ type: 'received', socket, message: { type: 'ping' } });
  session.tell({ type: 'received', socket, message: { type: 'time_sync', t0: 7 } });
  session.tell({ type: 'malformed', socket, why: 'no message' });
  await settled();
  t.strictSame(sent.slice(-3), [
    { type: 'pong' },
    { type: 'time_sync', t0: 7, server_time: new Date(clock.now()).toISOString() },
    { type: 'error', code: 'BAD_REQUEST', message: 'no message' },
  ]);
  t.match(system.snapshot().tree, [{ facts: { connected: true, congested: false } }]);
  await system.stop();
  t.strictSame(sent.at(-1), { type: 'drain', reconnect_after_ms: LIMITS.sessions.drainSpreadMs / 2 });
  t.equal(state.closedWith, 1012);
});

t.test(
  'a token that was never renewed ends the socket at its expiry; what comes from a lost one is not heard',
  async (t) => {
    const { arrive, session, clock, system } = setUp();
    const { socket, sent, state } = openSocket();
    await arrive(socket);
    await pass(clock, 899_999);
    t.equal(state.closedWith, undefined);
    await pass(clock, 1);
    t.equal(state.closedWith, 4401);
    const heard = sent.length;
    session.tell({ type: 'received', socket, message: { type: 'ping' } });
    session.tell({ type: 'malformed', socket, why: 'no message' });
    await settled();
    t.equal(sent.length, heard);
    await system.stop();
  },
);

t.test('a device that comes back in time keeps its session', async (t) => {
  const { arrive, session, clock, system } = setUp();
  const first = openSocket();
  await arrive(first.socket);
  session.tell({ type: 'closed', socket: first.socket });
  await pass(clock, LIMITS.sessions.lingerMs - 1);
  const second = openSocket();
  await arrive(second.socket);
  await pass(clock, LIMITS.sessions.lingerMs);
  t.ok(system.resolve('session'));
  t.equal(second.state.closedWith, undefined);
  await system.stop();
});

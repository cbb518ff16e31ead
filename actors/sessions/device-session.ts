/**
 * The session of one device in this process. It owns the device's socket, sends what the outbox holds in order and once per socket, and
 * ends the socket when its token ends, when a newer session opens, or when the desktop does not keep up. It outlives a lost socket by a
 * few seconds, because most desktops come straight back. Encoding, and who may connect, are decided elsewhere.
 */
import { LIMITS } from '../../config/limits.ts';
import { VelloError } from '../../config/errors.ts';
import type { ActorContext, ActorDefinition, Behaviour } from '../kernel/actor.ts';
import { isAbnormal } from '../kernel/exit-reason.ts';
import type { Reply } from '../kernel/ref.ts';
import type { SourceAddress } from '../bounds/source-address.ts';
import type { DesktopPrincipal, DesktopAuth } from './desktop-auth.ts';
import type { DeviceBus, DeviceNotice } from './device-channels.ts';
import type { DeviceMessages } from './device-messages.ts';
import type { Metrics } from '../ports/metrics.ts';
import { CLOSE, type DesktopMessage, type SequencedMessage, type ServerMessage } from './desktop-protocol.ts';
import type { DeviceFollower, DeviceFollowers } from './device-followers.ts';

/** A desktop's open socket as its session sees it. */
export interface SessionSocket {
  readonly isClosed: boolean;
  /** Sends at once or queues in memory. False asks to wait for `drained`: the desktop does not keep up. Does nothing once closed. */
  send(message: ServerMessage): boolean;
  /** From now on the socket ends when what this principal's token descends from is revoked. */
  renew(principal: DesktopPrincipal): void;
  close(code: number, reason: string): void;
}

/** A socket that passed the door. */
export interface Arrival {
  readonly socket: SessionSocket;
  readonly principal: DesktopPrincipal;
  /** Device clock minus ours. */
  readonly clockOffsetMs: number;
  /** Pays for the tokens that are sent over it. */
  readonly address: SourceAddress;
}

export type SessionMessage =
  /** Answered when the desktop has been welcomed. */
  | { readonly type: 'arrived'; readonly arrival: Arrival; readonly reply: Reply<void> }
  | { readonly type: 'received'; readonly socket: SessionSocket; readonly message: DesktopMessage }
  /** A frame that says nothing we know; `why` is for its author. */
  | { readonly type: 'malformed'; readonly socket: SessionSocket; readonly why: string }
  | { readonly type: 'drained'; readonly socket: SessionSocket }
  | { readonly type: 'closed'; readonly socket: SessionSocket }
  | { readonly type: 'notice'; readonly notice: DeviceNotice }
  | { readonly type: 'catch_up' }
  | { readonly type: 'token_ended' }
  | { readonly type: 'fell_behind' }
  /** The listener is closing. */
  | { readonly type: 'drain' }
  | { readonly type: 'forgotten' };

export interface SessionParts {
  readonly auth: Pick<DesktopAuth, 'verifyAccess'>;
  readonly messages: DeviceMessages;
  readonly bus: Pick<DeviceBus, 'announceSession'>;
  readonly followers: DeviceFollowers;
  readonly metrics: Metrics;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
}

export function deviceSession(parts: SessionParts, deviceId: string): ActorDefinition<SessionMessage> {
  return {
    type: 'device-session',
    mailbox: { capacity: LIMITS.sessions.mailbox },
    start: (ctx) => startSession(parts, deviceId, ctx),
  };
}

/** The socket that counts, and how far it has come. */
interface Live extends Arrival {
  readonly fence: number;
  readonly epoch: string;
  /** Number before the first message that was sent over this socket. */
  readonly floorSeq: number;
  sentSeq: number;
  /** The desktop does not keep up: the outbox keeps the rest until `drained`. */
  congested: boolean;
}

function startSession(
  parts: SessionParts,
  deviceId: string,
  ctx: ActorContext<SessionMessage>,
): Behaviour<SessionMessage> {
  const { auth, messages, bus, followers, metrics } = parts;
  const { clock, self, timers } = ctx;
  let live: Live | undefined;
  const follower: DeviceFollower = {
    notice: (notice) => void self.tell({ type: 'notice', notice }),
    catchUp: () => void self.tell({ type: 'catch_up' }),
  };

  const end = (code: number, reason: string) => {
    live?.socket.close(code, reason);
    live = undefined;
    timers.cancel('token');
    timers.cancel('congestion');
    timers.once('linger', LIMITS.sessions.lingerMs, { type: 'forgotten' });
  };

  const drain = () => {
    // Spread over a while, so that those who leave here do not arrive elsewhere as one.
    const reconnectAfterMs = Math.round(parts.random() * LIMITS.sessions.drainSpreadMs);
    live?.socket.send({ type: 'drain', reconnect_after_ms: reconnectAfterMs });
    end(CLOSE.drain, 'The server is stopping.');
  };

  const untilTokenEnds = (expiresAtMs: number) =>
    timers.once('token', Math.max(0, expiresAtMs - clock.now()), { type: 'token_ended' });

  /** False when the desktop does not keep up: what follows stays in the outbox. */
  const deliver = (to: Live, message: SequencedMessage, origin: 'outbox' | 'notice'): boolean => {
    to.sentSeq = message.seq;
    metrics.count('vello_session_messages_total', { type: message.type, origin });
    if (to.socket.send(message)) return true;
    to.congested = true;
    timers.once('congestion', LIMITS.sessions.slowConsumerMs, { type: 'fell_behind' });
    return false;
  };

  /** Sends what the outbox holds behind the last number sent, until it is empty or the desktop does not keep up. */
  const pump = async (to: Live) => {
    for (;;) {
      const { messages: page } = await messages.read(to.principal, to.sentSeq, LIMITS.sessions.outboxPage);
      for (const { type, seq, body } of page) {
        // The outbox holds only types of the protocol; each was written by the code that gave it its type.
        if (!deliver(to, { ...body, type, seq } as unknown as SequencedMessage, 'outbox')) return;
      }
      if (page.length < LIMITS.sessions.outboxPage) return;
    }
  };

  const welcome = async (arrival: Arrival) => {
    timers.cancel('linger');
    // The newest wins: what was here is over before the new one hears a word.
    if (live !== undefined) end(CLOSE.replaced, 'A newer session of this device has opened.');
    timers.cancel('linger');
    const { principal, socket, clockOffsetMs } = arrival;
    // Follow first, read afterwards: a message that arises between the two is then heard of at least once.
    await followers.follow(deviceId, follower);
    const fence = await bus.announceSession(deviceId);
    const { epoch, lastSeq, messages: waiting } = await messages.read(principal, 0, 1);
    const floorSeq = (waiting[0]?.seq ?? lastSeq + 1) - 1;
    const next: Live = { ...arrival, fence, epoch, floorSeq, sentSeq: floorSeq, congested: false };
    live = next;
    untilTokenEnds(principal.expiresAtMs);
    socket.send({
      type: 'hello',
      server_time: new Date(clock.now()).toISOString(),
      clock_offset_ms: Math.round(clockOffsetMs),
      heartbeat_ms: LIMITS.sessions.heartbeatMs,
      epoch,
      last_seq: lastSeq,
    });
    await pump(next);
  };

  const takeToken = async (to: Live, token: string) => {
    try {
      const renewed = await auth.verifyAccess(token, to.address);
      const { userId, deviceId: renewedDevice } = to.principal;
      if (renewed.userId !== userId || renewed.deviceId !== renewedDevice) throw new VelloError('AUTH_TOKEN_INVALID');
      to.socket.renew(renewed);
      untilTokenEnds(renewed.expiresAtMs);
      to.socket.send({ type: 'refreshed', expires_at: new Date(renewed.expiresAtMs).toISOString() });
    } catch (error) {
      if (!(error instanceof VelloError)) throw error;
      // The old token still holds until it ends; the desktop may try again.
      to.socket.send({ type: 'error', code: error.code, message: error.detail });
    }
  };

  const answer = async (to: Live, message: DesktopMessage) => {
    switch (message.type) {
      case 'ack':
        // Beyond what was sent there is nothing to acknowledge; a desktop that says so has mixed up its epochs.
        await messages.acknowledge(to.principal, Math.min(message.seq, to.sentSeq));
        return;
      case 'resume': {
        // Whole or not at all: everything behind its number was sent over this socket, or it must load its state anew.
        const recovered = message.epoch === to.epoch && message.seq >= to.floorSeq && message.seq <= to.sentSeq;
        to.socket.send({ type: 'resumed', recovered, epoch: to.epoch, last_seq: to.sentSeq });
        return;
      }
      case 'refresh':
        await takeToken(to, message.access_token);
        return;
      case 'time_sync':
        to.socket.send({ type: 'time_sync', t0: message.t0, server_time: new Date(clock.now()).toISOString() });
        return;
      case 'ping':
        to.socket.send({ type: 'pong' });
        return;
    }
  };

  const hear = async (to: Live, notice: DeviceNotice) => {
    if (notice.type === 'session') {
      if (notice.fence > to.fence) end(CLOSE.replaced, 'A newer session of this device has opened.');
      return;
    }
    const { message } = notice;
    if (to.congested || message.seq <= to.sentSeq) return;
    // The notice is only a hint: where it does not follow on what was sent, the outbox tells the rest.
    if (message.seq === to.sentSeq + 1) deliver(to, message as unknown as SequencedMessage, 'notice');
    else await pump(to);
  };

  /** What concerns a socket that is no longer ours concerns nobody. */
  const ours = (socket: SessionSocket): Live | undefined => (live?.socket === socket ? live : undefined);

  const receive = async (message: SessionMessage): Promise<void> => {
    // A full mailbox takes no `closed` either.
    if (live?.socket.isClosed === true) end(CLOSE.normal, '');
    switch (message.type) {
      case 'arrived':
        await welcome(message.arrival);
        message.reply.ok();
        return;
      case 'received': {
        const from = ours(message.socket);
        return from === undefined ? undefined : answer(from, message.message);
      }
      case 'malformed':
        ours(message.socket)?.socket.send({ type: 'error', code: 'BAD_REQUEST', message: message.why });
        return;
      case 'drained': {
        const to = ours(message.socket);
        if (to?.congested !== true) return;
        to.congested = false;
        timers.cancel('congestion');
        return pump(to);
      }
      case 'closed':
        if (ours(message.socket) !== undefined) end(CLOSE.normal, '');
        return;
      case 'notice':
        return live === undefined ? undefined : hear(live, message.notice);
      case 'catch_up':
        return live === undefined || live.congested ? undefined : pump(live);
      case 'token_ended':
        end(CLOSE.tokenEnded, 'The access token has ended.');
        return;
      case 'fell_behind':
        end(CLOSE.slowConsumer, 'The desktop does not keep up.');
        return;
      case 'drain':
        drain();
        return;
      case 'forgotten':
        ctx.stop();
        return;
    }
  };

  return {
    receive,
    stop: (reason) => {
      followers.unfollow(deviceId, follower);
      if (isAbnormal(reason)) end(CLOSE.failed, 'The session failed.');
      else drain();
    },
    describe: () => ({
      connected: live !== undefined,
      sent_seq: live?.sentSeq ?? 0,
      congested: live?.congested ?? false,
    }),
  };
}

/**
 * Keeps a desktop's WebSocket open: signs each upgrade, comes back after a loss, hands every numbered message to the application once
 * and in order, and acknowledges it only when the application is done with it. Encoding and one socket's life are in `desktop-socket.ts`.
 */
import { createHash } from 'node:crypto';
import { webSocketText } from '../../actors/crypto/signed-texts.ts';
import type { Clock } from '../../actors/ports/clock.ts';
import {
  CLOSE,
  type CreditsUpdated,
  type ErrorFrame,
  type Hello,
  type JobCreated,
  type Resumed,
  type ServerMessage,
  type Subprotocol,
} from '../../actors/sessions/desktop-protocol.ts';
import { backoffMs, pause } from './backoff.ts';
import { ClientError, localError } from './client-error.ts';
import type { DeviceIdentity } from './device-identity.ts';
import { openDesktopSocket, type DesktopSocket } from './desktop-socket.ts';
import type { ServerClock } from './server-clock.ts';

/**
 * Called in order, one at a time; a promise is awaited before the next. A handler of a numbered message that throws ends the socket, and
 * the message comes again with the next one. Numbered messages are those that survive a lost connection.
 */
export interface ConnectionHandlers {
  /** Numbered. */
  readonly job_created?: (message: JobCreated) => void | Promise<void>;
  /** Numbered. */
  readonly credits_updated?: (message: CreditsUpdated) => void | Promise<void>;
  /** With every socket, first. */
  readonly hello?: (message: Hello) => void;
  /** After a reconnect: `recovered: false` says to load the state anew from the api. */
  readonly resumed?: (message: Resumed) => void;
  /** The server did not like a frame of ours. */
  readonly error?: (message: ErrorFrame) => void;
  /** The socket is lost; another is opened after `retryInMs`. */
  readonly disconnected?: (event: { readonly code: number; readonly retryInMs: number }) => void;
  /** The end: `REPLACED`, or a refusal that trying again does not change. Not called for our own `close`. */
  readonly ended?: (error: ClientError) => void;
}

export interface DesktopConnection {
  /** Number of the newest message that the handlers are done with. */
  readonly lastSeq: number;
  /** Measures the server's clock over the open socket; the client's clock follows. */
  syncTime(): void;
  /** To be called when the machine wakes or its network is back: tests the socket within 3 s, and ends a wait before a reconnect. */
  wake(): void;
  /** Resolves when the socket is closed. Never reconnects afterwards. */
  close(): Promise<void>;
}

export interface ConnectionDeps {
  /** `ws:` or `wss:`, of the api. */
  readonly url: string;
  readonly deviceId: string;
  readonly identity: DeviceIdentity;
  readonly serverClock: ServerClock;
  readonly clock: Clock;
  readonly subprotocol: Subprotocol;
  readonly signal: AbortSignal;
  token(): Promise<string>;
  replace(refused: string): Promise<string>;
  onRenewed(listener: (accessToken: string) => void): () => void;
}

/** Resolves with the first `hello`. @throws ClientError why the first upgrade was refused; it is not repeated. */
export async function connectDesktop(deps: ConnectionDeps, handlers: ConnectionHandlers): Promise<DesktopConnection> {
  const { clock, serverClock } = deps;
  const leave = new AbortController();
  const signal = AbortSignal.any([deps.signal, leave.signal]);
  let epoch: string | undefined;
  let lastSeq = 0;
  let reconnectAfterMs = 0;
  let socket: DesktopSocket | undefined;
  let waking = new AbortController();

  const onHello = (hello: Hello, sentAtMs: number) => {
    serverClock.observe(hello.server_time, sentAtMs);
    if (hello.epoch !== epoch) lastSeq = 0;
    else socket?.send({ type: 'resume', epoch, seq: lastSeq });
    epoch = hello.epoch;
    handlers.hello?.(hello);
  };

  let turn: Promise<void> = Promise.resolve();
  let failed: DesktopSocket | undefined;
  /** One after the other, over lost sockets too: a handler still busy with a message of the last one must not be overtaken. */
  const onMessage = (message: ServerMessage, from: DesktopSocket): Promise<void> => {
    turn = turn
      .catch(() => undefined)
      .then(async () => {
        // What follows a failed message waits with it for the next socket: acknowledging it would acknowledge both.
        if (failed === from) return;
        try {
          await handle(message);
        } catch (error) {
          failed = from;
          throw error;
        }
      });
    return turn;
  };

  const handle = async (message: ServerMessage): Promise<void> => {
    switch (message.type) {
      case 'job_created':
      case 'credits_updated':
        if (message.seq > lastSeq) {
          if (message.type === 'job_created') await handlers.job_created?.(message);
          else await handlers.credits_updated?.(message);
          lastSeq = message.seq;
        }
        // Also for a repetition: its acknowledgement was lost.
        socket?.send({ type: 'ack', seq: lastSeq });
        return;
      case 'drain':
        reconnectAfterMs = message.reconnect_after_ms;
        return;
      case 'time_sync':
        serverClock.observe(message.server_time, message.t0);
        return;
      case 'resumed':
        handlers.resumed?.(message);
        return;
      case 'error':
        handlers.error?.(message);
        return;
      default:
        // A newer server may say more than we know.
        return;
    }
  };

  const open = async (token: string): Promise<DesktopSocket> => {
    const { deviceId, identity, url, subprotocol } = deps;
    const timestamp = Math.floor(serverClock.now() / 1000);
    const sequence = await identity.nextSequence();
    const tokenSha256 = createHash('sha256').update(token).digest('hex');
    const headers = {
      Authorization: `Bearer ${token}`,
      'X-Vello-Device': deviceId,
      'X-Vello-Timestamp': String(timestamp),
      'X-Vello-Sequence': String(sequence),
      'X-Vello-Signature': identity.sign(webSocketText({ deviceId, timestamp, sequence, tokenSha256 })),
    };
    const sentAtMs = clock.now();
    const opened = await openDesktopSocket({
      url: `${url}/ws/desktop`,
      headers,
      subprotocol,
      clock,
      signal,
      onHello: (hello, opening) => {
        socket = opening;
        onHello(hello, sentAtMs);
      },
      onMessage,
    }).catch((error: unknown) => {
      if (error instanceof ClientError && error.serverTime !== undefined) {
        serverClock.observe(error.serverTime, sentAtMs);
      }
      throw error;
    });
    reconnectAfterMs = 0;
    return opened;
  };

  const openWithFreshToken = async (): Promise<DesktopSocket> => {
    const token = await deps.token();
    try {
      return await open(token);
    } catch (error) {
      if (!(error instanceof ClientError) || error.status !== 401) throw error;
      // Our clock was moved since it was last measured; the refusal told the time, and the token is still good.
      if (error.code === 'AUTH_CLOCK_SKEW') return open(token);
      return open(await deps.replace(token));
    }
  };

  const stayConnected = async (first: DesktopSocket): Promise<void> => {
    let current = first;
    for (;;) {
      const openedAtMs = clock.monotonicMs();
      const code = await current.closed;
      if (code === CLOSE.replaced)
        throw localError('REPLACED', 'Another process took over the session of this device.');
      let attempt = clock.monotonicMs() - openedAtMs < STABLE_MS ? 2 : 1;
      for (let next: DesktopSocket | undefined; next === undefined; attempt += 1) {
        if (signal.aborted) return;
        const retryInMs = backoffMs(attempt, reconnectAfterMs);
        waking = new AbortController();
        handlers.disconnected?.({ code, retryInMs });
        await pause(clock, retryInMs, AbortSignal.any([signal, waking.signal]));
        if (waking.signal.aborted) attempt = 0;
        next = await openWithFreshToken().catch((error: unknown) => {
          if (error instanceof ClientError && error.retryable) return undefined;
          throw error;
        });
        if (next !== undefined) current = next;
      }
    }
  };

  const opened = await openWithFreshToken();
  const stopFollowing = deps.onRenewed((token) => socket?.send({ type: 'refresh', access_token: token }));
  const finished = stayConnected(opened)
    .catch((error: unknown) => {
      if (signal.aborted) return;
      const reason = error instanceof ClientError ? error : localError('PROTOCOL', 'The connection ended.', error);
      handlers.ended?.(reason);
    })
    .finally(stopFollowing);

  return {
    get lastSeq() {
      return lastSeq;
    },
    syncTime: () => socket?.send({ type: 'time_sync', t0: clock.now() }),
    wake: () => {
      waking.abort();
      socket?.probe();
    },
    close: async () => {
      leave.abort();
      await finished;
    },
  };
}

/** A socket that lived this long was a good one; one that dies younger counts as another failed attempt. */
const STABLE_MS = 30_000;

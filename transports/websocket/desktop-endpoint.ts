/**
 * `GET /ws/desktop`: checks both credentials before the upgrade, turns frames into messages for the device's session, and keeps
 * uWebSockets.js' rules: nothing of a request after an await, nothing on a closed socket, no exception into native code.
 */
import type { SourceAddress } from '../../actors/bounds/source-address.ts';
import type { Ref } from '../../actors/kernel/ref.ts';
import type { Clock } from '../../actors/ports/clock.ts';
import type { DesktopPrincipal, DesktopAuth } from '../../actors/sessions/desktop-auth.ts';
import type { RevocationScope } from '../../actors/ports/grants.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import { CLOSE, type Subprotocol } from '../../actors/sessions/desktop-protocol.ts';
import type { SessionMessage, SessionSocket } from '../../actors/sessions/device-session.ts';
import { readDesktopMessage } from '../../actors/sessions/read-desktop-message.ts';
import type { SessionDirectory } from '../../actors/sessions/session-directory.ts';
import { VelloError } from '../../config/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { NativeSocket } from '../http/server/native-socket.ts';
import { problemReply, toVelloError } from '../http/server/problem.ts';
import type { HttpServer, SocketBehavior } from '../http/server/server.ts';
import { writeWhole } from '../http/server/write-reply.ts';
import { FRAME_CODECS, type FrameCodec } from './frame-codec.ts';
import { readUpgradeRequest, type UpgradeRequest } from './upgrade-request.ts';

export interface DesktopEndpointParts {
  readonly auth: DesktopAuth;
  readonly directory: SessionDirectory;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface DesktopEndpoint {
  readonly register: (server: HttpServer) => void;
  /** Shows in the metrics how many sockets are open, until what it returns is called. */
  readonly showCount: () => () => void;
  /** Closes the sockets whose tokens were revoked. */
  readonly revoke: (scope: RevocationScope) => void;
  /** Refuses upgrades from now on, tells every desktop when to come back, and resolves when all sockets are closed or time is up. */
  readonly drain: (withinMs: number) => Promise<void>;
}

/** What is kept with each socket. */
interface Connection {
  principal: DesktopPrincipal;
  readonly clockOffsetMs: number;
  readonly address: SourceAddress;
  readonly subprotocol: Subprotocol;
  socket: SessionSocket | undefined;
  session: Ref<SessionMessage> | undefined;
}
type Native = NativeSocket<Connection>;

export function createDesktopEndpoint(parts: DesktopEndpointParts): DesktopEndpoint {
  const { auth, directory, clock, log, metrics } = parts;
  const connections = new Set<Connection>();
  let checking = 0;
  let draining = false;
  let emptied: (() => void) | undefined;

  const upgrade: SocketBehavior<Connection>['upgrade'] = (response, head, requestId, acceptUpgrade) => {
    const refuse = (error: unknown) => {
      const failure = toVelloError(error);
      metrics.count('vello_session_upgrades_total', { result: response.isOver ? 'aborted' : failure.code });
      // Never the address: it may hold the token.
      if (failure.code === 'INTERNAL') log.error('an upgrade failed', { requestId, error: failure.extras.cause });
      writeWhole(response, requestId, problemReply(failure, requestId, false));
    };
    const accept = async ({ handshake, subprotocol, protocol }: UpgradeRequest) => {
      const address = head.remoteAddress();
      const principal = await auth.verifyAccess(handshake.token, address);
      const clockOffsetMs = await auth.verifyHandshake(principal, handshake);
      if (response.isOver) throw new VelloError('BAD_REQUEST');
      metrics.count('vello_session_upgrades_total', { result: 'accepted' });
      const session = { socket: undefined, session: undefined };
      acceptUpgrade({ principal, clockOffsetMs, address, subprotocol, ...session }, protocol);
    };
    try {
      if (draining) throw new VelloError('SHUTTING_DOWN');
      if (checking >= LIMITS.sessions.upgradesAtOnce)
        throw new VelloError('UNAVAILABLE', undefined, { retryAfterMs: 2000 });
      const upgrading = accept(readUpgradeRequest(head));
      checking += 1;
      upgrading.catch(refuse).finally(() => (checking -= 1));
    } catch (error) {
      refuse(error);
    }
  };

  const open = (ws: Native) => {
    const connection = ws.data;
    const { principal, clockOffsetMs, address, subprotocol } = connection;
    const socket = wrapSocket(ws, connection, FRAME_CODECS[subprotocol]);
    connection.socket = socket;
    connections.add(connection);
    const turnAway = (error: unknown) => {
      log.warn('a desktop could not be welcomed', { deviceId: principal.deviceId, error });
      socket.close(CLOSE.tryAgain, 'The session cannot be opened right now.');
    };
    try {
      const { session, welcomed } = directory.arrive({ socket, principal, clockOffsetMs, address });
      connection.session = session;
      welcomed.catch(turnAway);
    } catch (error) {
      turnAway(error);
    }
  };

  const message = (ws: Native, data: ArrayBuffer, isBinary: boolean) => {
    const { session, socket, subprotocol } = ws.data;
    if (session === undefined || socket === undefined) return;
    const codec = FRAME_CODECS[subprotocol];
    const told = session.tell(read(socket, codec, data, isBinary));
    if (told === 'mailbox_full') socket.close(CLOSE.flooding, 'Too many messages at once.');
    if (told === 'dead') socket.close(CLOSE.failed, 'The session has ended.');
  };

  const close = (ws: Native, code: number) => {
    const connection = ws.data;
    connections.delete(connection);
    metrics.count('vello_session_closes_total', { code: knownCode(code) });
    const { session, socket } = connection;
    if (socket !== undefined) session?.tell({ type: 'closed', socket });
    if (connections.size === 0) emptied?.();
  };

  return {
    register: (server) => {
      server.ws<Connection>('/ws/desktop', {
        messageBytes: LIMITS.sessions.frameBytes,
        bufferedBytes: LIMITS.sessions.bufferedBytes,
        idleSeconds: IDLE_SECONDS,
        upgrade,
        open,
        message,
        drain: (ws) => {
          const { session, socket } = ws.data;
          // Only a hint that some of it went out.
          const caughtUp = ws.bufferedBytes < LIMITS.sessions.congestedBytes / 2;
          if (caughtUp && socket !== undefined) session?.tell({ type: 'drained', socket });
        },
        close,
      });
    },
    showCount: () => metrics.onScrape(() => metrics.gauge('vello_session_sockets', {}, connections.size)),
    revoke: (scope) => {
      for (const { principal, socket } of [...connections]) {
        if (isWithin(principal, scope)) socket?.close(CLOSE.tokenEnded, 'The access token was revoked.');
      }
    },
    drain: async (withinMs) => {
      draining = true;
      if (connections.size === 0) return;
      const empty = new Promise<void>((resolve) => {
        const timer = clock.setTimer(withinMs, resolve);
        emptied = () => {
          timer.cancel();
          resolve();
        };
      });
      for (const { session } of [...connections]) session?.tell({ type: 'drain' });
      await empty;
    },
  };
}

function isWithin({ userId, deviceId, familyId }: DesktopPrincipal, scope: RevocationScope): boolean {
  if ('familyId' in scope) return scope.familyId === familyId;
  return 'deviceId' in scope ? scope.deviceId === deviceId : scope.userId === userId;
}

/** Pings go out when a socket was silent for this long minus 16 s (uWebSockets.js' margin), so at most one heartbeat apart. */
const IDLE_SECONDS = LIMITS.sessions.heartbeatMs / 1000 + 10;

function wrapSocket(ws: Native, connection: Connection, codec: FrameCodec): SessionSocket {
  return {
    get isClosed() {
      return ws.isClosed;
    },
    send: (outgoing) => {
      ws.send(codec.encode(outgoing), codec.isBinary);
      return ws.bufferedBytes < LIMITS.sessions.congestedBytes;
    },
    close: (code, reason) => ws.close(code, reason),
    renew: (principal) => {
      connection.principal = principal;
    },
  };
}

function read(socket: SessionSocket, codec: FrameCodec, data: ArrayBuffer, isBinary: boolean): SessionMessage {
  if (isBinary !== codec.isBinary)
    return { type: 'malformed', socket, why: 'The frame is not of the agreed encoding.' };
  try {
    // The frame's memory is taken back when the callback returns; decoding copies out of it before that.
    const understood = readDesktopMessage(codec.decode(Buffer.from(data)));
    if (typeof understood !== 'string') return { type: 'received', socket, message: understood };
    return { type: 'malformed', socket, why: understood };
  } catch {
    return { type: 'malformed', socket, why: 'The frame cannot be decoded.' };
  }
}

/** A client may close with any code; as a label only the known ones are kept. */
function knownCode(code: number): string {
  return STANDARD_CODES.has(code) || Object.values<number>(CLOSE).includes(code) ? String(code) : 'other';
}
const STANDARD_CODES = new Set([1000, 1001, 1005, 1006]);

/**
 * `GET /vello/live`: lets desktops in as every other request is let in, turns frames into what a transcription takes, and keeps uWebSockets.js'
 * rules: nothing of a request after an await, nothing on a closed socket, no exception into native code.
 */
import type { Admission, Caller } from '../../actors/admission/admission.ts';
import { parseLiveMessage } from '../../actors/live/parse-live-message.ts';
import type { LiveCall } from '../../actors/live/live-call.ts';
import type { LiveSocket } from '../../actors/live/live-desktop.ts';
import type { LiveCalls } from '../../actors/live/live-calls.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import { providerFor, type GatewayConfig, type ProviderDirectory } from '../../actors/relay/gateway-config.ts';
import { VelloError } from '../../config/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { NativeSocket } from '../http/server/native-socket.ts';
import { problemReply, toVelloError } from '../http/server/problem.ts';
import type { HttpServer, SocketBehavior } from '../http/server/server.ts';
import { writeWhole } from '../http/server/write-reply.ts';
import { readLiveRequest, type LiveBeginning } from './live-request.ts';
import type { CallRealtime } from './realtime-line.ts';

export const LIVE_PATH = '/vello/live';

export interface LiveEndpointParts {
  readonly admission: Admission;
  readonly calls: LiveCalls;
  readonly config: () => GatewayConfig;
  readonly providers: ProviderDirectory;
  readonly callRealtime: CallRealtime;
  readonly newId: () => string;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface LiveEndpoint {
  attach(server: Pick<HttpServer, 'ws'>): void;
  /** Refuses upgrades from now on, and resolves when all transcriptions have ended, in good order within the time or cut short after it. */
  drain(withinMs: number): Promise<void>;
}

/** What is kept with each socket. */
interface Connection {
  readonly call: LiveCall;
  readonly seq: number;
  socket: LiveSocket | undefined;
}
type Native = NativeSocket<Connection>;

export function createLiveEndpoint(parts: LiveEndpointParts): LiveEndpoint {
  const { admission, calls, log, metrics } = parts;
  let checking = 0;
  let isDraining = false;

  const begin = (asks: LiveBeginning, requestId: string, caller: Caller): LiveCall => {
    const { sessionId, language, format, traceparent } = asks;
    const config = parts.config();
    const model = asks.model === '' ? (config.defaultModels.transcribe ?? '') : asks.model;
    if (model === '') throw new VelloError('BAD_REQUEST', 'A model must be named.');
    const name = providerFor(config, model);
    const provider = parts.providers.get(name);
    const baseUrl = config.providers.find((known) => known.name === name)?.baseUrl;
    if (provider === undefined || baseUrl === undefined) {
      throw new VelloError('UNAVAILABLE', 'No AI provider is available for this model.');
    }
    const key = provider.keys.next();
    const started = {
      ...{ liveId: parts.newId(), eventId: parts.newId(), requestId, sessionId, caller, model, format, traceparent },
      ...{ provider: name, keyId: key?.id ?? '' },
    };
    const { isOwn = false } = provider;
    return calls.open(started, (listener) =>
      parts.callRealtime({ baseUrl, key, isOwn, userId: caller.userId, model, language, format, requestId }, listener),
    );
  };

  const upgrade: SocketBehavior<Connection>['upgrade'] = (response, head, requestId, acceptUpgrade) => {
    const refuse = (error: unknown) => {
      const failure = toVelloError(error);
      metrics.count('vello_gateway_live_sockets_total', { result: response.isOver ? 'aborted' : failure.code });
      // Never the address: it may hold the token.
      if (failure.code === 'INTERNAL') log.error('an upgrade failed', { requestId, error: failure.extras.cause });
      writeWhole(response, requestId, problemReply(failure, requestId, false));
    };
    try {
      if (isDraining) throw new VelloError('SHUTTING_DOWN');
      const { authorization, asks } = readLiveRequest(head);
      const enter = (caller: Caller) => {
        if (response.isOver) throw new VelloError('BAD_REQUEST');
        // The token may have been asked for while the drain began.
        if (isDraining) throw new VelloError('SHUTTING_DOWN');
        const isReturn = asks.kind === 'return';
        const call = isReturn ? calls.resume(asks.liveId, caller) : begin(asks, requestId, caller);
        metrics.count('vello_gateway_live_sockets_total', { result: isReturn ? 'resumed' : 'opened' });
        acceptUpgrade({ call, seq: isReturn ? asks.seq : 0, socket: undefined }, '');
      };
      const caller = admission.admit(authorization, () => head.remoteAddress());
      if (!(caller instanceof Promise)) {
        enter(caller);
        return;
      }
      if (checking >= LIMITS.live.upgradesAtOnce)
        throw new VelloError('UNAVAILABLE', undefined, { retryAfterMs: 2000 });
      checking += 1;
      caller
        .finally(() => (checking -= 1))
        .then(enter)
        .catch(refuse);
    } catch (error) {
      refuse(error);
    }
  };

  /** An exception costs this transcription, never the process. */
  const guard = ({ data: { call } }: Native, act: () => void) => {
    try {
      act();
    } catch (error) {
      call.fault(error);
    }
  };

  return {
    attach: (server) => {
      server.ws<Connection>(LIVE_PATH, {
        messageBytes: LIMITS.live.frameBytes,
        bufferedBytes: 2 * LIMITS.live.unreadBytes,
        idleSeconds: IDLE_SECONDS,
        upgrade,
        open: (ws) =>
          guard(ws, () => {
            ws.data.socket = wrapSocket(ws);
            ws.data.call.attach(ws.data.socket, ws.data.seq);
          }),
        message: (ws, data, isBinary) =>
          guard(ws, () => {
            const { call, socket } = ws.data;
            if (socket === undefined) return;
            if (isBinary) {
              call.take(socket, { type: 'audio', frame: new Uint8Array(data) });
              return;
            }
            const message = parseLiveMessage(Buffer.from(data).toString('utf8'));
            if (message === undefined) call.refuse(socket, 'The message is none of commit and end.');
            else call.take(socket, message);
          }),
        drain: () => undefined,
        close: (ws, code) =>
          guard(ws, () => {
            const { call, socket } = ws.data;
            if (socket !== undefined) call.detach(socket, GOOD_BYES.has(code));
          }),
      });
    },
    drain: (withinMs) => {
      isDraining = true;
      return calls.drain(withinMs);
    },
  };
}

/** Pings go out when a socket was silent for this long minus 16 s (uWebSockets.js' margin), so that a lost one is noticed within a minute. */
const IDLE_SECONDS = LIMITS.sessions.heartbeatMs / 1000 + 10;

/** A desktop that closes its socket with these does not come back (RFC 6455 §7.4.1); any other end is an accident. */
const GOOD_BYES: ReadonlySet<number> = new Set([1000, 1001]);

function wrapSocket(ws: Native): LiveSocket {
  return {
    get bufferedBytes() {
      return ws.bufferedBytes;
    },
    send: (text) => ws.send(text, false),
    close: (code, reason) => ws.close(code, reason),
  };
}

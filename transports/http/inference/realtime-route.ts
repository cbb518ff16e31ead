/** `GET /v1/realtime?intent=transcription`: live transcription over a WebSocket, in OpenAI's protocol, on our own engine. */
import type { EarHolder } from '../../../actors/inference/ear-actor.ts';
import type { Log } from '../../../actors/ports/log.ts';
import { VelloError } from '../../../config/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import type { NativeSocket } from '../server/native-socket.ts';
import { problemReply, toVelloError } from '../server/problem.ts';
import type { HttpServer } from '../server/server.ts';
import { writeWhole } from '../server/write-reply.ts';
import { callerNamed } from './caller-named.ts';
import { requireKey } from './inference-key.ts';
import { openRealtimeSession, type RealtimeParts, type RealtimeSession } from './realtime-session.ts';

export interface RealtimeRouteParts extends Omit<RealtimeParts, 'ear'> {
  readonly ears: EarHolder;
  /** Absent: every caller is served. */
  readonly key: string | undefined;
  readonly log: Log;
}

interface Connection {
  readonly caller: string;
  session: RealtimeSession | undefined;
}
type Native = NativeSocket<Connection>;

const CLOSE_CODES = { failed: 1011, restarting: 1012 } as const;

/** Returns what hangs up on every caller: the listener stops. */
export function addRealtimeRoute(server: HttpServer, { ears, key, log, ...parts }: RealtimeRouteParts): () => void {
  const sockets = new Set<Native>();
  let isStopping = false;

  const admit = (authorization: string, query: URLSearchParams) => {
    requireKey(authorization, key);
    if (isStopping) throw new VelloError('SHUTTING_DOWN');
    if (query.get('intent') !== 'transcription') {
      throw new VelloError('BAD_REQUEST', 'Only sessions with intent=transcription are held here.');
    }
    if (query.has('model')) {
      throw new VelloError('BAD_REQUEST', 'You must not provide a model parameter for transcription sessions.');
    }
    if (sockets.size >= LIMITS.recognition.liveCalls) {
      throw new VelloError('ENGINE_BUSY', 'As many live calls are under way as may.', { retryAfterMs: 2000 });
    }
  };

  server.ws<Connection>('/v1/realtime', {
    messageBytes: LIMITS.recognition.liveMessageBytes,
    bufferedBytes: LIMITS.recognition.liveMessageBytes,
    idleSeconds: LIMITS.sessions.heartbeatMs / 1000 + 10,
    upgrade: (response, head, requestId, acceptUpgrade) => {
      try {
        admit(head.header('authorization'), head.query);
        acceptUpgrade({ caller: callerNamed(head), session: undefined }, '');
      } catch (error) {
        const failure = toVelloError(error);
        if (failure.code === 'INTERNAL') log.error('an upgrade failed', { requestId, error });
        writeWhole(response, requestId, problemReply(failure, requestId, true));
      }
    },
    open: (ws) => {
      sockets.add(ws);
      const send = (text: string) => ws.send(text, false);
      const hangUp = () => ws.close(CLOSE_CODES.failed, 'The session has ended.');
      try {
        ws.data.session = openRealtimeSession({ ...parts, ear: ears.use() }, ws.data.caller, send, hangUp);
      } catch (error) {
        log.warn('a live call could not be taken', { error });
        hangUp();
      }
    },
    message: (ws, data) => ws.data.session?.take(Buffer.from(data).toString('utf8')),
    drain: () => undefined,
    close: (ws) => {
      sockets.delete(ws);
      ws.data.session?.close();
    },
  });

  return () => {
    isStopping = true;
    for (const ws of [...sockets]) ws.close(CLOSE_CODES.restarting, 'The server is stopping.');
  };
}

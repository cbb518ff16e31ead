/** One WebSocket of a live transcription, from the upgrade to its close: refusals as errors, and a loss that no packet tells of. */
import { WebSocket, type RawData } from 'ws';
import type { LiveReady, LiveServerMessage } from '../../actors/live/live-protocol.ts';
import type { Clock, Timer } from '../../actors/ports/clock.ts';
import { localError } from './client-error.ts';
import { readRefusal } from './desktop-socket.ts';
import type { LiveOutgoing } from './live-outbox.ts';

export interface LiveClientSocket {
  readonly ready: LiveReady;
  /** Does nothing on a closed socket. */
  readonly send: (message: LiveOutgoing) => void;
  /** Hangs up for good. */
  readonly close: () => void;
  /** Resolves with the close code, once. */
  readonly closed: Promise<number>;
}

export interface LiveSocketOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Hangs up. */
  readonly signal: AbortSignal;
  /** What comes after `ready`. */
  readonly onMessage: (message: LiveServerMessage) => void;
}

const HANDSHAKE_MS = 15_000;
/** The gateway keeps a transcription for half a minute: a socket that fell silent is noticed well before. */
const PING_EVERY_MS = 4_000;
const SILENCE_MS = 10_000;

/** Resolves with the first message. @throws ClientError why the upgrade was refused, `NETWORK`, `TIMEOUT`, `CLOSED` */
export function openLiveSocket({
  url,
  headers,
  clock,
  signal,
  onMessage,
}: LiveSocketOptions): Promise<LiveClientSocket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(localError('CLOSED', 'The transcription was cancelled.'));
      return;
    }
    const ws = new WebSocket(url, { headers, perMessageDeflate: false, maxPayload: 4 * 1024 * 1024 });
    let timer: Timer = clock.setTimer(HANDSHAKE_MS, () => {
      reject(localError('TIMEOUT', `The gateway was not ready within ${HANDSHAKE_MS} ms.`));
      ws.terminate();
    });
    let heardMs = clock.monotonicMs();

    const watch = () => {
      if (clock.monotonicMs() - heardMs > SILENCE_MS) {
        ws.terminate();
        return;
      }
      if (ws.readyState === WebSocket.OPEN) ws.ping();
      timer = clock.setTimer(PING_EVERY_MS, watch);
    };
    const close = () => {
      ws.close(1000);
      // A gateway that is gone answers no close frame.
      clock.setTimer(1000, () => ws.terminate());
    };
    const leave = () => {
      reject(localError('CLOSED', 'The transcription was cancelled.'));
      close();
    };
    signal.addEventListener('abort', leave);
    const closed = new Promise<number>((settle) => {
      ws.on('close', (code) => {
        timer.cancel();
        signal.removeEventListener('abort', leave);
        reject(localError('NETWORK', `The connection closed (${code}) before the gateway was ready.`));
        settle(code);
      });
    });
    const send = (message: LiveOutgoing) => {
      if (ws.readyState === WebSocket.OPEN) ws.send(message instanceof Uint8Array ? message : JSON.stringify(message));
    };
    const receive = (data: RawData) => {
      heardMs = clock.monotonicMs();
      const message = readMessage(data);
      if (message === undefined) {
        ws.terminate();
      } else if (message.type === 'ready') {
        timer.cancel();
        watch();
        resolve({ ready: message, send, close, closed });
      } else onMessage(message);
    };
    ws.on('pong', () => (heardMs = clock.monotonicMs()));
    ws.on('message', receive);
    ws.on('error', (error) => reject(localError('NETWORK', 'The connection to the gateway failed.', error)));
    ws.on('unexpected-response', (_request, response) => {
      void readRefusal(response).then((refusal) => {
        reject(refusal);
        ws.terminate();
      });
    });
  });
}

/** Undefined for what only something else than the gateway can have sent. */
function readMessage(data: RawData): LiveServerMessage | undefined {
  try {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? Buffer.from(data) : data;
    const message: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof message === 'object' && message !== null && 'type' in message
      ? (message as LiveServerMessage)
      : undefined;
  } catch {
    return undefined;
  }
}

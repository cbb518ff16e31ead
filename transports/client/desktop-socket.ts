/** One WebSocket to the api, from the upgrade to its close: encoding, refusals as errors, liveness. */
import type { IncomingMessage } from 'node:http';
import { Packr } from 'msgpackr';
import { WebSocket, type RawData } from 'ws';
import type { Clock, Timer } from '../../actors/ports/clock.ts';
import {
  CLOSE,
  type DesktopMessage,
  type Hello,
  type ServerMessage,
  type Subprotocol,
} from '../../actors/sessions/desktop-protocol.ts';
import { type ClientError, errorFromAnswer, localError } from './client-error.ts';

export interface DesktopSocket {
  /** Resolves with the close code, once. */
  readonly closed: Promise<number>;
  /** Does nothing on a closed socket: what must arrive is repeated by the protocol. */
  readonly send: (message: DesktopMessage) => void;
  /** Ends the socket unless something is heard within 3 s: after a sleep only the other side can tell whether it is still there. */
  readonly probe: () => void;
}

export interface DesktopSocketOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly subprotocol: Subprotocol;
  readonly clock: Clock;
  /** Closes the socket in good order. */
  readonly signal: AbortSignal;
  onHello(hello: Hello, socket: DesktopSocket): void;
  /** A rejection ends the socket. */
  onMessage(message: ServerMessage, socket: DesktopSocket): Promise<void>;
}

const HANDSHAKE_MS = 15_000;
const PROBE_MS = 3_000;

/** Resolves with the server's `hello`. @throws ClientError why the upgrade was refused, `NETWORK`, `TIMEOUT`, `PROTOCOL` or `CLOSED`. */
export function openDesktopSocket(options: DesktopSocketOptions): Promise<DesktopSocket> {
  const { clock, signal, subprotocol } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(localError('CLOSED', 'The connection was closed.'));
      return;
    }
    const ws = new WebSocket(options.url, [subprotocol], {
      headers: options.headers,
      perMessageDeflate: false,
      maxPayload: 4 * 1024 * 1024,
    });
    const codec = subprotocol === 'vello.v1.json' ? json : msgpack();
    let deadline: Timer = clock.setTimer(HANDSHAKE_MS, () => {
      reject(localError('TIMEOUT', `The api said no hello within ${HANDSHAKE_MS} ms.`));
      ws.terminate();
    });
    let heartbeatMs: number | undefined;

    const closed = new Promise<number>((settle) => {
      ws.on('close', (code) => {
        deadline.cancel();
        signal.removeEventListener('abort', leave);
        reject(localError('NETWORK', `The connection closed (${code}) before the server said hello.`));
        settle(code);
      });
    });
    const socket: DesktopSocket = {
      closed,
      send: (message) => {
        if (ws.readyState === WebSocket.OPEN) ws.send(codec.encode(message));
      },
      probe: () => {
        if (heartbeatMs === undefined || ws.readyState !== WebSocket.OPEN) return;
        deadline.cancel();
        deadline = clock.setTimer(PROBE_MS, () => ws.terminate());
        socket.send({ type: 'ping' });
      },
    };
    const leave = () => {
      reject(localError('CLOSED', 'The connection was closed.'));
      ws.close(CLOSE.normal);
      // A server that is gone answers no close frame.
      clock.setTimer(1000, () => ws.terminate());
    };
    signal.addEventListener('abort', leave);

    const stayAlive = () => {
      if (heartbeatMs === undefined) return;
      deadline.cancel();
      deadline = clock.setTimer(heartbeatMs * 2, () => ws.terminate());
    };
    const receive = (data: RawData) => {
      let message: ServerMessage;
      try {
        message = codec.decode(data);
      } catch {
        ws.close(CLOSE.malformed);
        return;
      }
      if (message.type === 'hello') {
        heartbeatMs = message.heartbeat_ms;
        options.onHello(message, socket);
        resolve(socket);
      }
      stayAlive();
      if (message.type === 'hello') return;
      options.onMessage(message, socket).catch(() => ws.terminate());
    };

    ws.on('ping', stayAlive);
    ws.on('message', receive);
    ws.on('error', (error) => reject(localError('NETWORK', 'The connection to the api failed.', error)));
    ws.on('unexpected-response', (_request, response) => {
      void readRefusal(response).then((refusal) => {
        reject(refusal);
        ws.terminate();
      });
    });
  });
}

/** What an upgrade was refused with. */
export async function readRefusal(response: IncomingMessage): Promise<ClientError> {
  let body = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response) body += String(chunk);
  } catch {
    // A refusal cut short still has its status.
  }
  const header = (name: string) => {
    const value = response.headers[name];
    return typeof value === 'string' ? value : null;
  };
  return errorFromAnswer(response.statusCode ?? 0, header, body);
}

interface Codec {
  encode(message: DesktopMessage): string | Buffer;
  decode(data: RawData): ServerMessage;
}

const bytesOf = (data: RawData): Buffer => {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
};

const json: Codec = {
  encode: (message) => JSON.stringify(message),
  decode: (data) => JSON.parse(bytesOf(data).toString('utf8')) as ServerMessage,
};

const msgpack = (): Codec => {
  // Records would need state on both sides that a reconnect loses.
  const packr = new Packr({ useRecords: false });
  return {
    encode: (message) => packr.pack(message),
    decode: (data) => packr.unpack(bytesOf(data)) as ServerMessage,
  };
};

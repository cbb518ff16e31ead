/**
 * The floor under the gateway's benchmark: the least program in Node.js that does the job at all. It looks a token up, puts a key on, passes bytes
 * and adds one event, over uWebSockets.js and plain sockets. It checks no framing, meters nothing and survives no fault. A process of its own;
 * sends its port.
 */
import { connect, type Socket } from 'node:net';
import uWS from '#uws';
import { newId } from '../../../actors/identity/new-id.ts';
import { streamKey } from '../../../config/streams.ts';

interface Upstream {
  readonly socket: Socket;
  onBytes: (bytes: Buffer) => void;
}

const [providerUrl = '', redisUrl = '', token = ''] = process.argv.slice(2);
const provider = new URL(providerUrl);
const grants = new Map([[`Bearer ${token}`, { userId: newId(), deviceId: newId() }]]);
const idle: Upstream[] = [];

function openUpstream(): Upstream {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  const callback = (length: number) => {
    upstream.onBytes(buffer.subarray(0, length));
    return true;
  };
  const socket = connect({
    host: provider.hostname,
    port: Number(provider.port),
    noDelay: true,
    onread: { buffer, callback },
  });
  const upstream: Upstream = { socket, onBytes: () => undefined };
  // The provider closes what was idle for a while.
  socket
    .on('error', () => undefined)
    .on('close', () => {
      if (idle.includes(upstream)) idle.splice(idle.indexOf(upstream), 1);
    });
  return upstream;
}

const redis = connect({ host: '127.0.0.1', port: Number(new URL(redisUrl).port), noDelay: true });
redis.resume();
let commands = `AUTH ${new URL(redisUrl).password}\r\n`;
redis.write(commands);
commands = '';

/** What is added in one turn of the event loop leaves in one write. */
function addEvent(fields: readonly string[]): void {
  if (commands === '') setImmediate(flushCommands);
  commands += `*${fields.length + 3}\r\n$4\r\nXADD\r\n${bulk(streamKey('process'))}$1\r\n*\r\n`;
  for (const field of fields) commands += bulk(field);
}

function flushCommands(): void {
  redis.write(commands, 'latin1');
  commands = '';
}

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

/** `onEnd` hears that the answer is out, with its status and size. */
function passAnswer(
  response: uWS.HttpResponse,
  upstream: Upstream,
  onEnd: (status: string, bytesOut: number) => void,
): void {
  let status = '';
  /** Bytes of the body that are still to come; negative where it is chunked. */
  let left = -1;
  let bytesOut = 0;
  const passBody = (bytes: Buffer): boolean => {
    bytesOut += bytes.length;
    if (left >= 0) {
      left -= bytes.length;
      if (left === 0) response.end(bytes);
      else response.write(bytes);
      return left === 0;
    }
    for (let at = 0; at < bytes.length;) {
      // The end of the chunk before may come with this one.
      if (bytes[at] === 13) at += 2;
      const line = bytes.indexOf('\r\n', at);
      if (line === -1) return false;
      const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
      if (size === 0) {
        response.end();
        return true;
      }
      response.write(bytes.subarray(line + 2, line + 2 + size));
      at = line + 2 + size;
    }
    return false;
  };
  upstream.onBytes = (bytes) => {
    response.cork(() => {
      let rest = bytes;
      if (status === '') {
        const end = bytes.indexOf('\r\n\r\n');
        const head = bytes.toString('latin1', 0, end);
        rest = bytes.subarray(end + 4);
        left = Number(/\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? -1);
        status = head.slice(9, 12);
        response.writeStatus(head.slice(9, head.indexOf('\r')));
        response.writeHeader('content-type', /\ncontent-type: *([^\r]+)/i.exec(head)?.[1] ?? '');
      }
      if (passBody(rest)) onEnd(status, bytesOut);
    });
  };
}

const app = uWS.App();
app.post('/*', (response, request) => {
  const grant = grants.get(request.getHeader('authorization'));
  if (grant === undefined) {
    response.writeStatus('401 Unauthorized').end();
    return;
  }
  const startedAtMs = Date.now();
  let bytesIn = 0;
  const report = (outcome: string, status: string, bytesOut: number) => {
    const durationMs = String(Date.now() - startedAtMs);
    addEvent([
      ...['v', '1', 'event_id', newId(), 'type', 'process', 'request_id', newId(), 'session_id', newId()],
      ...['user_id', grant.userId, 'device_id', grant.deviceId, 'provider', 'mock', 'model', 'm', 'key_id', 'k'],
      ...['outcome', outcome, 'status', status, 'started_at', String(startedAtMs), 'ttfb_ms', durationMs],
      ...['duration_ms', durationMs, 'bytes_in', String(bytesIn), 'bytes_out', String(bytesOut)],
      ...['audio_seconds', '0', 'audio_source', 'none', 'usage', '', 'result', '', 'attempts', '1', 'traceparent', ''],
    ]);
  };
  const upstream = idle.pop() ?? openUpstream();
  passAnswer(response, upstream, (status, bytesOut) => {
    idle.push(upstream);
    report('ok', status, bytesOut);
  });
  response.onAborted(() => {
    upstream.socket.destroy();
    report('client_abort', '200', 0);
  });
  const head =
    `POST ${request.getUrl()} HTTP/1.1\r\nhost: ${provider.host}\r\nauthorization: Bearer sk-bench\r\n` +
    `content-type: ${request.getHeader('content-type')}\r\ncontent-length: ${request.getHeader('content-length')}\r\n\r\n`;
  response.onData((memory) => {
    // A head and a small body leave in one write; their memory is the server's own, and is taken back.
    if (bytesIn === 0) upstream.socket.write(head + Buffer.from(memory).toString('latin1'), 'latin1');
    else upstream.socket.write(Buffer.copyBytesFrom(new Uint8Array(memory)));
    bytesIn += memory.byteLength;
  });
});
app.listen('127.0.0.1', 0, (socket) => {
  if (socket !== false) process.send?.(uWS.us_socket_local_port(socket));
});
process.on('disconnect', () => process.exit(0));

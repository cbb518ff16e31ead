/** A provider on a bare TCP socket: whoever plays it reads what arrives byte by byte and answers, stalls or breaks as he likes. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface ScriptedRequest {
  /** Request line and headers as they came over the wire. */
  readonly head: string;
  /** Of the request line. */
  readonly target: string;
  /** Value of a header by lower-case name; undefined when absent. */
  header(name: string): string | undefined;
  /** The body so far, chunked coding undone. */
  body(): Buffer;
  /** Resolves once the body holds at least this much. */
  received(bytes: number): Promise<void>;
  /** Resolves with the body once it is complete. */
  whole(): Promise<Buffer>;
  isWhole(): boolean;
  /** Sends raw bytes of an answer. */
  send(bytes: string | Uint8Array): void;
  /** The same; resolves once the kernel has taken them. */
  sendAll(bytes: Uint8Array): Promise<void>;
  /** What was sent so far is a whole answer: the connection stays open for the next request. */
  answered(): void;
  /** A complete answer; the connection stays open for the next request. */
  reply(status: number, headers: Readonly<Record<string, string>>, body: string | Buffer): void;
  /** Stops reading, so that the sender meets backpressure. */
  stall(): void;
  /** Ends the connection in order. */
  finish(): void;
  /** Breaks the connection with a reset. */
  reset(): void;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  isClosed(): boolean;
}

export interface ScriptedUpstream {
  readonly url: string;
  /** The next request whose head has arrived, oldest first. */
  next(): Promise<ScriptedRequest>;
  /** Requests so far. */
  readonly count: number;
  readonly connections: number;
  /** Everything that ever arrived. */
  transcript(): string;
  /** Forgets what has arrived, and breaks the connections whose request is not answered. */
  forget(): void;
  /** Breaks the connections that wait for another request. */
  dropIdle(): void;
  /** Breaks every connection and refuses others until `accept`. */
  refuse(): void;
  accept(): Promise<void>;
  /** Stops listening and breaks every connection. */
  stop(): void;
}

export async function openScriptedUpstream(): Promise<ScriptedUpstream> {
  let waiting: ((request: ScriptedRequest) => void)[] = [];
  let ready: ScriptedRequest[] = [];
  /** With whether a request of theirs is under way. */
  const sockets = new Map<Socket, () => boolean>();
  let transcript: Buffer[] = [];
  const counted = { requests: 0, connections: 0 };

  const server = createServer({ noDelay: true }, (socket) => {
    counted.connections += 1;
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => transcript.push(chunk));
    const isBusy = readRequests(socket, (request) => {
      counted.requests += 1;
      const taker = waiting.shift();
      if (taker === undefined) ready.push(request);
      else taker(request);
    });
    sockets.set(socket, isBusy);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = () => {
    server.close();
    for (const socket of sockets.keys()) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${port}`,
    next: async () => ready.shift() ?? new Promise((resolve) => waiting.push(resolve)),
    get count() {
      return counted.requests;
    },
    get connections() {
      return counted.connections;
    },
    transcript: () => Buffer.concat(transcript).toString('latin1'),
    forget: () => {
      waiting = [];
      ready = [];
      transcript = [];
      for (const [socket, isBusy] of sockets) if (isBusy()) socket.destroy();
    },
    dropIdle: () => {
      for (const [socket, isBusy] of sockets) if (!isBusy()) socket.resetAndDestroy();
    },
    refuse: stop,
    accept: async () => {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    stop,
  };
}

/** Returns whether a request is under way. */
function readRequests(socket: Socket, onRequest: (request: ScriptedRequest) => void): () => boolean {
  let raw = Buffer.alloc(0);
  let current: { readonly headEnd: number; readonly chunked: boolean; readonly length: number } | undefined;
  let wake: (() => void)[] = [];
  let closed = false;

  const state = (): { body: Buffer; complete: boolean; end: number } => {
    if (current === undefined) return { body: Buffer.alloc(0), complete: false, end: 0 };
    const rest = raw.subarray(current.headEnd);
    if (current.chunked) {
      const decoded = decodeChunked(rest);
      return { ...decoded, end: current.headEnd + decoded.end };
    }
    const body = rest.subarray(0, current.length);
    return { body, complete: rest.length >= current.length, end: current.headEnd + current.length };
  };
  const until = async (reached: () => boolean) => {
    while (!reached()) {
      if (closed) throw new Error('The connection closed before that.');
      await new Promise<void>((resolve) => wake.push(resolve));
    }
  };
  const wakeAll = () => {
    const woken = wake;
    wake = [];
    woken.forEach((resolve) => resolve());
  };
  const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const answered = () => {
    raw = raw.subarray(state().end);
    current = undefined;
    begin();
  };
  const begin = () => {
    const headEnd = raw.indexOf('\r\n\r\n');
    if (current !== undefined || headEnd === -1) return;
    const head = raw.toString('latin1', 0, headEnd);
    const header = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(head)?.[1]?.trim();
    current = {
      headEnd: headEnd + 4,
      chunked: /chunked/i.test(header('transfer-encoding') ?? ''),
      length: Number(header('content-length') ?? 0),
    };
    onRequest({
      head,
      target: head.split(' ', 2)[1] ?? '',
      header,
      body: () => state().body,
      received: (bytes) => until(() => state().body.length >= bytes),
      whole: async () => {
        await until(() => state().complete);
        return state().body;
      },
      isWhole: () => state().complete,
      send: (bytes) => void socket.write(bytes),
      sendAll: (bytes) => new Promise((resolve) => void socket.write(bytes, () => resolve())),
      reply: (status, headers, body) => {
        const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)) })
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join('');
        socket.write(`HTTP/1.1 ${status} Scripted\r\n${lines}\r\n`);
        socket.write(body);
        answered();
      },
      answered,
      stall: () => void socket.pause(),
      finish: () => void socket.end(),
      reset: () => void socket.resetAndDestroy(),
      closed: over,
      isClosed: () => closed,
    });
  };
  socket.on('data', (chunk) => {
    raw = Buffer.concat([raw, chunk]);
    begin();
    wakeAll();
  });
  socket.on('close', () => {
    closed = true;
    wakeAll();
  });
  return () => raw.length > 0;
}

function decodeChunked(raw: Buffer): { body: Buffer; complete: boolean; end: number } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', at);
    if (lineEnd === -1) return { body: Buffer.concat(parts), complete: false, end: at };
    const size = Number.parseInt(raw.toString('latin1', at, lineEnd), 16);
    if (size === 0) {
      // Trailers, or none: the first empty line ends them.
      const end = raw.indexOf('\r\n\r\n', lineEnd);
      return { body: Buffer.concat(parts), complete: end !== -1, end: end === -1 ? at : end + 4 };
    }
    const start = lineEnd + 2;
    parts.push(raw.subarray(start, Math.min(raw.length, start + size)));
    if (raw.length < start + size + 2) return { body: Buffer.concat(parts), complete: false, end: at };
    at = start + size + 2;
  }
}

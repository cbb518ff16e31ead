/** An HTTP client on a bare TCP socket, for requests that no well-behaved client would send and answers that none would show. */
import { once } from 'node:events';
import { connect } from 'node:net';

export interface RawClient {
  send(bytes: string | Uint8Array): void;
  /** Sends, and resolves once the kernel has taken it. */
  sendAll(bytes: Uint8Array): Promise<void>;
  /** Everything received so far. */
  bytes(): Buffer;
  text(): string;
  readonly receivedBytes: number;
  /** Resolves once what was received contains `part`. Rejects when the connection ends first. */
  until(part: string): Promise<string>;
  /** Resolves once `isSo`, which is asked again whenever bytes arrive or the connection ends. */
  when(isSo: () => boolean): Promise<void>;
  /** Resolves once the connection has ended, with everything received. */
  readonly ended: Promise<string>;
  isEnded(): boolean;
  stopReading(): void;
  readOn(): void;
  /** Closes without a reset, as a process that exits does. */
  close(): void;
  reset(): void;
}

export async function openRawClient(port: number): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const chunks: Buffer[] = [];
  let received = 0;
  let ended = false;
  let wake: (() => void)[] = [];
  const bytes = () => Buffer.concat(chunks);
  const text = () => bytes().toString('latin1');
  const wakeAll = () => {
    const woken = wake;
    wake = [];
    woken.forEach((resolve) => resolve());
  };
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    received += chunk.length;
    wakeAll();
  });
  const over = new Promise<string>((resolve) =>
    socket.once('close', () => {
      ended = true;
      wakeAll();
      resolve(text());
    }),
  );
  const when = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise<void>((resolve) => wake.push(resolve));
  };
  return {
    send: (given) => void socket.write(given),
    sendAll: (given) => new Promise((resolve) => void socket.write(given, () => resolve())),
    bytes,
    text,
    when,
    get receivedBytes() {
      return received;
    },
    until: async (part) => {
      await when(() => ended || text().includes(part));
      if (text().includes(part)) return text();
      throw new Error(`The connection ended without ${JSON.stringify(part)}: ${text()}`);
    },
    ended: over,
    isEnded: () => ended,
    stopReading: () => void socket.pause(),
    readOn: () => void socket.resume(),
    close: () => void socket.destroy(),
    reset: () => void socket.resetAndDestroy(),
  };
}

/**
 * The load of the gateway's benchmark: prepared bytes over kept-alive sockets, and answers read no further than is needed to find their end.
 * A process of its own, which is told what to play by messages.
 */
import { connect, type Socket } from 'node:net';
import { SENT_MARK, sentNow } from './prepared-requests.ts';

/** Each connection asks, reads the whole answer, and asks again. */
export interface LoadPlay {
  readonly type: 'play';
  readonly port: number;
  readonly request: Uint8Array;
  readonly connections: number;
  /** So long it lasts, or longer where fewer answers than `least` are here, but not beyond `mostMs`; what is under way is finished then. */
  readonly forMs: number;
  readonly least?: number;
  readonly mostMs?: number;
}

/** Each connection asks and waits for the first byte, and all stay open until a `hang-up`. */
export interface OpenStreams {
  readonly type: 'open';
  readonly port: number;
  readonly request: Uint8Array;
  readonly connections: number;
}

export type LoadTask = LoadPlay | OpenStreams | { readonly type: 'hang-up' };

export interface Played {
  readonly requests: number;
  readonly elapsedMs: number;
  /** From the request to the first byte of the answer's body, and to its last, in ms. */
  readonly firstByteMs: readonly number[];
  readonly wholeMs: readonly number[];
  /** How old each event was when it arrived, in ms, where the provider marked its moment. */
  readonly chunkAgeMs: readonly number[];
}

type Recorded = { -readonly [P in keyof Played]: Played[P] extends readonly number[] ? number[] : Played[P] };

/** Where an answer's end is: so many bytes more, or where the chunked coding ends. */
interface Reading {
  head: string | undefined;
  left: number;
  isChunked: boolean;
  tail: string;
}

const OPENED_AT_ONCE = 8;
const CHUNKED_END = '0\r\n\r\n';
const held = new Set<Socket>();

/** Reads on. Returns whether a byte of the body has come, and whether it was the last. */
function readOn(reading: Reading, bytes: Buffer): { readonly hasBody: boolean; readonly isWhole: boolean } {
  let body = bytes;
  if (reading.head === undefined) {
    const text = reading.tail + bytes.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) {
      reading.tail = text;
      return { hasBody: false, isWhole: false };
    }
    reading.head = text.slice(0, end);
    if (!reading.head.startsWith('HTTP/1.1 200')) throw new Error(`The answer was:\n${text.slice(0, 1000)}`);
    body = bytes.subarray(end + 4 - reading.tail.length);
    reading.tail = '';
    const length = /\ncontent-length: *(\d+)/i.exec(reading.head)?.[1];
    reading.isChunked = length === undefined;
    reading.left = Number(length ?? 0);
  }
  if (reading.isChunked) {
    reading.tail = (reading.tail + body.toString('latin1', Math.max(0, body.length - 5))).slice(-5);
    return { hasBody: body.length > 0, isWhole: reading.tail === CHUNKED_END };
  }
  reading.left -= body.length;
  return { hasBody: body.length > 0, isWhole: reading.left <= 0 };
}

function noteAges(bytes: Buffer, into: number[]): void {
  const nowMicros = sentNow();
  for (let at = bytes.indexOf(SENT_MARK); at !== -1; at = bytes.indexOf(SENT_MARK, at + 1)) {
    const from = at + SENT_MARK.length;
    const sent = Number(bytes.toString('latin1', from, from + 15));
    if (sent > 0) into.push((nowMicros - sent) / 1000);
  }
}

function openSocket(port: number, onBytes: (bytes: Buffer) => void, onGone: (error?: Error) => void): Socket {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  const callback = (length: number) => {
    onBytes(buffer.subarray(0, length));
    return true;
  };
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback } });
  return socket.on('error', onGone).on('close', () => onGone());
}

/** Resolves when it is over and the last answer is here. Rejects where one is not 200, or breaks off. */
function keepAsking(play: LoadPlay, isOver: (nowMs: number) => boolean, into: Recorded): Promise<void> {
  return new Promise((resolve, reject) => {
    let socket: Socket;
    let reading: Reading | undefined;
    let startedMs = 0;
    let firstMs = 0;
    const ask = () => {
      reading = { head: undefined, left: 0, isChunked: false, tail: '' };
      startedMs = performance.now();
      firstMs = 0;
      socket.write(play.request);
    };
    const onBytes = (bytes: Buffer) => {
      if (reading === undefined) return;
      try {
        const { hasBody, isWhole } = readOn(reading, bytes);
        if (firstMs === 0 && hasBody) firstMs = performance.now();
        noteAges(bytes, into.chunkAgeMs);
        if (!isWhole) return;
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      const nowMs = performance.now();
      into.requests += 1;
      into.firstByteMs.push(firstMs - startedMs);
      into.wholeMs.push(nowMs - startedMs);
      const isLast = /\nconnection: *close/i.test(reading.head ?? '');
      reading = undefined;
      if (!isOver(nowMs) && !isLast) ask();
      else socket.destroy();
    };
    const onGone = (error?: Error) => {
      if (error !== undefined || reading !== undefined) reject(error ?? new Error('An answer broke off.'));
      else if (isOver(performance.now())) resolve();
      // Some servers close a connection that has served a thousand requests.
      else begin();
    };
    const begin = () => {
      socket = openSocket(play.port, onBytes, onGone);
      ask();
    };
    begin();
  });
}

async function play(task: LoadPlay): Promise<Played> {
  const recorded: Recorded = { requests: 0, elapsedMs: 0, firstByteMs: [], wholeMs: [], chunkAgeMs: [] };
  const startedMs = performance.now();
  const { forMs, least = 0, mostMs = forMs } = task;
  const isOver = (nowMs: number) => nowMs - startedMs >= (recorded.requests < least ? mostMs : forMs);
  await Promise.all(Array.from({ length: task.connections }, () => keepAsking(task, isOver, recorded)));
  return { ...recorded, elapsedMs: performance.now() - startedMs };
}

async function open({ port, request, connections }: OpenStreams): Promise<void> {
  const openOne = () =>
    new Promise<void>((resolve, reject) => {
      const reading: Reading = { head: undefined, left: 0, isChunked: false, tail: '' };
      const onBytes = (bytes: Buffer) => {
        if (readOn(reading, bytes).hasBody) resolve();
      };
      const socket = openSocket(port, onBytes, (error) => reject(error ?? new Error('A stream broke off.')));
      socket.write(request);
      held.add(socket);
    });
  let left = connections;
  const openSome = async () => {
    while (left > 0) {
      left -= 1;
      await openOne();
    }
  };
  await Promise.all(Array.from({ length: OPENED_AT_ONCE }, openSome));
}

async function perform(task: LoadTask): Promise<Played | undefined> {
  if (task.type === 'play') return play(task);
  if (task.type === 'open') await open(task);
  else {
    for (const socket of held) socket.destroy();
    held.clear();
  }
  return undefined;
}

process.on('message', (task: LoadTask) => {
  perform(task).then(
    (played) => process.send?.({ played }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));

/**
 * Keeps usage events in a file until they are on their stream: a line each, a checksum in front. What `append` has written is in the
 * page cache, where the death of this process cannot take it. A line that does not match its checksum is set aside whole and never sent.
 * Progress is written down only after it was made, so that an event may be sent twice but never not.
 *
 * Synchronous on purpose: a write into the page cache costs less than handing it to another thread, and answers wait for it.
 */
import {
  appendFileSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { EventSpool } from '../../actors/ports/event-outlet.ts';
import type { Log } from '../../actors/ports/log.ts';
import { decodeUsageEvent, encodeUsageEvent, type UsageEvent } from '../../actors/relay/usage-event.ts';

const newline = 0x0a;
const readBytes = 1024 * 1024;
/** Events kept beside the file, so that what is sent at once is not read back. */
const mostRecent = 4096;
/** What has been sent stays in the file up to this size: to empty a file costs more than to write an event. */
const emptiedFrom = 256 * 1024;

interface Kept {
  readonly event: UsageEvent;
  readonly bytes: number;
}

/** @param path of the spool; `<path>.done` beside it holds how far it has been sent, `<path>.damaged` what cannot be read. */
export function createFileSpool(path: string, log: Log): EventSpool {
  const damagedPath = `${path}.damaged`;
  let files: { readonly spool: number; readonly done: number } | undefined;
  let size = 0;
  let done = 0;
  let lines = 0;
  let peeked = { bytes: 0, lines: 0 };
  /** The newest events, up to the end of the file. */
  let recent: Kept[] = [];
  let recentFrom = 0;

  const opened = () => {
    if (files === undefined) throw new Error('The spool is not open.');
    return files;
  };

  /** @throws where the disk does not take it; the line then stays where it is. */
  const setAside = (line: Buffer) => {
    appendFileSync(damagedPath, Buffer.concat([line, Buffer.of(newline)]), { mode: 0o600 });
    log.error('a spooled event is damaged and was set aside', { bytes: line.length, file: damagedPath });
  };

  const noteProgress = () => writeAll(opened().done, Buffer.from(encodeDone(done)), 0);

  /** Only where all has been sent. */
  const empty = () => {
    // In this order: a progress that outlives its file is beyond the end of the next one, until it is overwritten here.
    ftruncateSync(opened().spool, 0);
    size = 0;
    done = 0;
    recentFrom = 0;
    noteProgress();
  };

  const close = () => {
    if (files === undefined) return;
    try {
      if (size > 0 && done === size) empty();
    } finally {
      closeSync(files.spool);
      closeSync(files.done);
      files = undefined;
    }
  };

  const peekFile = (count: number): UsageEvent[] => {
    const { spool } = opened();
    const events: UsageEvent[] = [];
    let bytes = readAt(spool, done, Math.min(size - done, readBytes));
    // A single line larger than one read: texts of hours-long recordings.
    while (bytes.indexOf(newline) === -1 && bytes.length < size - done) {
      bytes = readAt(spool, done, Math.min(size - done, bytes.length * 2));
    }
    while (peeked.lines < count) {
      const end = bytes.indexOf(newline, peeked.bytes);
      if (end === -1) break;
      const line = bytes.subarray(peeked.bytes, end);
      const event = readLine(line);
      if (event === undefined) setAside(line);
      else events.push(event);
      peeked = { bytes: end + 1, lines: peeked.lines + 1 };
    }
    return events;
  };

  return {
    open: () => {
      close();
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      // The texts of users are in it.
      const flags = constants.O_RDWR | constants.O_CREAT;
      files = { spool: openSync(path, flags, 0o600), done: openSync(`${path}.done`, flags, 0o600) };
      const whole = readAt(files.spool, 0, fstatSync(files.spool).size);
      const end = whole.lastIndexOf(newline) + 1;
      if (end < whole.length) {
        setAside(whole.subarray(end));
        ftruncateSync(files.spool, end);
      }
      size = end;
      done = readDone(files.done, size);
      lines = countLines(whole.subarray(done, end));
      peeked = { bytes: 0, lines: 0 };
      recent = [];
      recentFrom = size;
    },
    get waiting() {
      return lines;
    },
    append: (events) => {
      const { spool } = opened();
      const encoded = events.map((event) => encodeLine(event));
      const text = Buffer.concat(encoded);
      try {
        writeAll(spool, text, size);
      } catch (error) {
        // Half of a line must not stand before the next one; what cannot be taken back is overwritten by it.
        ftruncateSync(spool, size);
        throw error;
      }
      size += text.length;
      lines += events.length;
      for (const [index, event] of events.entries()) recent.push({ event, bytes: encoded[index]?.length ?? 0 });
      if (recent.length <= mostRecent) return;
      recent = [];
      recentFrom = size;
    },
    peek: (count) => {
      peeked = { bytes: 0, lines: 0 };
      if (done < recentFrom) return peekFile(count);
      const kept = recent.slice(0, count);
      peeked = { bytes: kept.reduce((sum, { bytes }) => sum + bytes, 0), lines: kept.length };
      return kept.map(({ event }) => event);
    },
    drop: () => {
      if (done >= recentFrom) {
        recent.splice(0, peeked.lines);
        recentFrom = done + peeked.bytes;
      }
      done += peeked.bytes;
      lines -= peeked.lines;
      peeked = { bytes: 0, lines: 0 };
      if (done === size && size >= emptiedFrom) empty();
      else noteProgress();
    },
    close,
  };
}

function encodeLine(event: UsageEvent): Buffer {
  const json = JSON.stringify(encodeUsageEvent(event));
  return Buffer.from(`${checksum(json)} ${json}\n`);
}

const checksum = (text: string | Buffer): string => crc32(text).toString(16).padStart(8, '0');

/** Undefined where the line is not what was written. */
function readLine(line: Buffer): UsageEvent | undefined {
  const json = line.subarray(9);
  if (line.toString('latin1', 0, 9) !== `${checksum(json)} `) return undefined;
  try {
    return decodeUsageEvent(JSON.parse(json.toString('utf8')) as Record<string, unknown>);
  } catch {
    return undefined;
  }
}

/** Fixed width, so that one that was cut short is recognised. */
const encodeDone = (bytes: number): string => `${String(bytes).padStart(16, '0')}\n`;

function readDone(file: number, size: number): number {
  const text = readAt(file, 0, 17).toString('latin1');
  const bytes = /^\d{16}\n$/.test(text) ? Number(text) : 0;
  return bytes <= size ? bytes : 0;
}

function writeAll(file: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, position + at);
}

function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, position));
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) lines += 1;
  return lines;
}

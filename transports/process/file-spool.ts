/**
 * Keeps usage events in a file, a line of JSON each, until they can be sent. Survives a crash at any instruction: a line cut
 * short is dropped, and progress is written down only after it was made, so that an event may be sent twice but never not.
 */
import { constants } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { EventSpool } from '../../actors/ports/event-outlet.ts';
import type { Log } from '../../actors/ports/log.ts';
import { decodeUsageEvent, encodeUsageEvent, type UsageEvent } from '../../actors/relay/usage-event.ts';

const newline = 0x0a;
const readBytes = 1024 * 1024;

/** @param path of the spool; `<path>.done` beside it holds how far it has been sent. */
export function createFileSpool(path: string, log: Log): EventSpool {
  const donePath = `${path}.done`;
  let file: FileHandle | undefined;
  let size = 0;
  let done = 0;
  let lines = 0;
  let peeked = { bytes: 0, lines: 0 };

  const opened = (): FileHandle => {
    if (file === undefined) throw new Error('The spool is not open.');
    return file;
  };

  return {
    open: async () => {
      await file?.close();
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      // The texts of users are in it.
      file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
      const whole = await file.readFile();
      const end = whole.lastIndexOf(newline) + 1;
      if (end < whole.length) {
        log.warn('a spooled event was cut short by a crash', { bytes: whole.length - end });
        await file.truncate(end);
      }
      size = end;
      done = await readDone(donePath, size);
      lines = countLines(whole.subarray(done, end));
      peeked = { bytes: 0, lines: 0 };
    },
    get waiting() {
      return lines;
    },
    append: async (events) => {
      const text = Buffer.from(events.map((event) => `${JSON.stringify(encodeUsageEvent(event))}\n`).join(''));
      try {
        await writeAll(opened(), text, size);
        await opened().datasync();
      } catch (error) {
        // Half of a line must not stand before the next one. Where this fails too, `open` repairs it.
        await opened()
          .truncate(size)
          .catch(() => undefined);
        throw error;
      }
      size += text.length;
      lines += events.length;
    },
    peek: async (count) => {
      const events: UsageEvent[] = [];
      peeked = { bytes: 0, lines: 0 };
      const wanted = Math.min(size - done, readBytes);
      let bytes = await readAt(opened(), done, wanted);
      // A single line larger than one read: texts of hours-long recordings.
      while (bytes.indexOf(newline) === -1 && bytes.length < size - done) {
        bytes = await readAt(opened(), done, Math.min(size - done, bytes.length * 2));
      }
      while (peeked.lines < count) {
        const end = bytes.indexOf(newline, peeked.bytes);
        if (end === -1) break;
        const event = readLine(bytes.toString('utf8', peeked.bytes, end), log);
        if (event !== undefined) events.push(event);
        peeked = { bytes: end + 1, lines: peeked.lines + 1 };
      }
      return events;
    },
    drop: async () => {
      done += peeked.bytes;
      lines -= peeked.lines;
      peeked = { bytes: 0, lines: 0 };
      if (done < size) {
        await writeFile(donePath, encodeDone(done), { mode: 0o600 });
        return;
      }
      // In this order: a progress that outlived its file would skip the events of the next outage.
      await rm(donePath, { force: true });
      await opened().truncate(0);
      size = 0;
      done = 0;
    },
    close: async () => {
      await file?.close();
      file = undefined;
    },
  };
}

function readLine(line: string, log: Log): UsageEvent | undefined {
  try {
    return decodeUsageEvent(JSON.parse(line) as Record<string, unknown>);
  } catch (error) {
    log.error('a spooled event cannot be read', {
      bytes: line.length,
      error: error instanceof Error ? error.name : '',
    });
    return undefined;
  }
}

/** Fixed width, so that one that was cut short is recognised. */
const encodeDone = (bytes: number): string => `${String(bytes).padStart(16, '0')}\n`;

async function readDone(path: string, size: number): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const bytes = /^\d{16}\n$/.test(text) ? Number(text) : 0;
  return bytes <= size ? bytes : 0;
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) lines += 1;
  return lines;
}

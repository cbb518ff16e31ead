/**
 * Keeps usage events in a file until they are on their stream: a line each, a checksum in front. A line that does not match its checksum is
 * set aside whole and never sent. How far the file has been sent stands beside it, and is written down some time after it was so: an event
 * may be sent twice but never not.
 */
import { appendFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { EventSpool } from '../../actors/events/event-outlet.ts';
import type { Log } from '../../actors/ports/log.ts';
import { packUsageEvent, unpackUsageEvent } from '../../actors/events/usage-event.ts';
import type { UsageEvent } from '../../actors/events/usage-event.ts';
import { AppendFile } from './append-file.ts';

/** Events kept beside the file, so that what is sent at once is not read back. */
const MOST_RECENT = 4096;
/** What has been sent stays in the file up to this size: to empty a file costs more than to write an event. */
const EMPTIED_FROM = 256 * 1024;
/** Where sending never catches up, what is left is moved to a new file from this size on, if it is small. */
const MOVED_FROM = 16 * 1024 * 1024;
const MOST_MOVED = 1024 * 1024;

interface Kept {
  readonly event: UsageEvent;
  readonly bytes: number;
}

/** @param path of the spool; `<path>.done` beside it holds how far it has been sent, `<path>.damaged` what cannot be read. */
export function createFileSpool(path: string, log: Log): EventSpool {
  const damagedPath = `${path}.damaged`;
  let files: { readonly spool: AppendFile; readonly progress: AppendFile } | undefined;
  let done = 0;
  let lines = 0;
  let peeked = { end: 0, lines: 0 };
  /** The newest events, up to the end of the file. */
  let recent: Kept[] = [];
  let recentFrom = 0;
  let moveFailed = false;

  const opened = () => {
    if (files === undefined) throw new Error('The spool is not open.');
    return files;
  };

  /** @throws where the disk does not take it; the line then stays where it is. */
  const setAside = (line: Buffer) => {
    appendFileSync(damagedPath, Buffer.concat([line, Buffer.from('\n')]), { mode: 0o600 });
    log.error('a spooled event is damaged and was set aside', { bytes: line.length, file: damagedPath });
  };

  const isSpent = () => files !== undefined && done === files.spool.size && done >= EMPTIED_FROM;

  const writeProgress = () => opened().progress.overwrite(encodeDone(done), 0);

  /** Only where all has been sent. */
  const empty = () => {
    // In this order: a progress that outlives its file is beyond the end of the next one, until it is overwritten here.
    opened().spool.truncate(0);
    done = 0;
    recentFrom = 0;
    writeProgress();
  };

  const moveRest = () => {
    const { spool } = opened();
    try {
      spool.replace(spool.read(done, spool.size - done));
    } catch (error) {
      if (!moveFailed) log.error('the spool cannot be made smaller and grows', { bytes: spool.size, error });
      moveFailed = true;
      return;
    }
    moveFailed = false;
    recentFrom -= done;
    // What is on its way to the stream is dropped afterwards.
    peeked = { end: peeked.end - done, lines: peeked.lines };
    done = 0;
  };

  const noteProgress = () => {
    const { size } = opened().spool;
    if (isSpent()) {
      empty();
      return;
    }
    if (size >= MOVED_FROM && size - done <= MOST_MOVED) moveRest();
    writeProgress();
  };

  const close = () => {
    if (files === undefined) return;
    try {
      if (done > 0 && done === files.spool.size) empty();
      else writeProgress();
    } finally {
      files.spool.close();
      files.progress.close();
      files = undefined;
    }
  };

  const readBoth = () => {
    files = openBoth(path);
    const { spool } = files;
    done = readDone(files.progress, spool.size);
    lines = 0;
    let whole = 0;
    for (const { end } of spool.lines(0)) {
      whole = end;
      if (end > done) lines += 1;
    }
    if (whole < spool.size) {
      setAside(spool.read(whole, spool.size - whole));
      spool.truncate(whole);
    }
    done = Math.min(done, whole);
    writeProgress();
    peeked = { end: done, lines: 0 };
    recent = [];
    recentFrom = whole;
  };

  /** Half open is not open: nothing waits in it that could be had. */
  const abandon = () => {
    files?.spool.close();
    files?.progress.close();
    files = undefined;
    lines = 0;
  };

  const peekFile = (count: number): UsageEvent[] => {
    const events: UsageEvent[] = [];
    for (const { line, end } of opened().spool.lines(done)) {
      const event = readLine(line);
      if (event === undefined) setAside(line);
      else events.push(event);
      peeked = { end, lines: peeked.lines + 1 };
      if (peeked.lines === count) break;
    }
    return events;
  };

  return {
    open: () => {
      try {
        close();
        readBoth();
      } catch (error) {
        abandon();
        throw error;
      }
    },
    get waiting() {
      return lines;
    },
    get isSpent() {
      return isSpent();
    },
    append: (events) => {
      const { spool } = opened();
      const { bytes, lengths } = encodeLines(events);
      spool.append(bytes);
      lines += events.length;
      for (const [index, event] of events.entries()) recent.push({ event, bytes: lengths[index] ?? 0 });
      if (recent.length <= MOST_RECENT) return;
      recent = [];
      recentFrom = spool.size;
    },
    peek: (count) => {
      opened();
      peeked = { end: done, lines: 0 };
      if (done < recentFrom) return peekFile(count);
      const kept = recent.slice(0, count);
      peeked = { end: kept.reduce((end, { bytes }) => end + bytes, done), lines: kept.length };
      return kept.map(({ event }) => event);
    },
    drop: () => {
      done = peeked.end;
      lines -= peeked.lines;
      // Wherever it was read from: the file, what is kept beside it, or both.
      let spent = 0;
      for (const { bytes } of recent) {
        if (recentFrom >= done) break;
        recentFrom += bytes;
        spent += 1;
      }
      recent.splice(0, spent);
      peeked = { end: done, lines: 0 };
    },
    noteProgress,
    holds: (ids) => {
      const found = new Set<string>();
      if (ids.size === 0) return found;
      for (const { line } of opened().spool.lines(0)) {
        const id = idOf(line);
        if (id !== undefined && ids.has(id)) found.add(id);
      }
      return found;
    },
    close,
  };
}

function openBoth(path: string): { readonly spool: AppendFile; readonly progress: AppendFile } {
  const spool = new AppendFile(path);
  try {
    return { spool, progress: new AppendFile(`${path}.done`) };
  } catch (error) {
    // It is tried again and again: no descriptor may stay behind.
    spool.close();
    throw error;
  }
}

const TEXT_AT = 9;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const HEX_DIGITS = Buffer.from('0123456789abcdef');
/** UTF-8 needs at most so many bytes for a unit of a string. */
const MOST_BYTES_PER_UNIT = 3;
/** Lines are made in it and written from it, in one go. */
const scratch = Buffer.allocUnsafe(64 * 1024);

/** One line for each event, and how long each is. The bytes are good until the next call. */
function encodeLines(events: readonly UsageEvent[]): { readonly bytes: Buffer; readonly lengths: readonly number[] } {
  const packed = events.map(packUsageEvent);
  const most = packed.reduce((sum, text) => sum + TEXT_AT + text.length * MOST_BYTES_PER_UNIT + 1, 0);
  const bytes = most <= scratch.length ? scratch : Buffer.allocUnsafe(most);
  let end = 0;
  const lengths = packed.map((text) => {
    const start = end;
    end += TEXT_AT;
    end += bytes.write(text, end);
    writeChecksum(bytes, start, crc32(bytes.subarray(start + TEXT_AT, end)));
    bytes[start + TEXT_AT - 1] = SPACE;
    bytes[end] = NEWLINE;
    end += 1;
    return end - start;
  });
  return { bytes: bytes.subarray(0, end), lengths };
}

/** Digit by digit: to make a string of it takes as long as the checksum itself. */
function writeChecksum(bytes: Buffer, at: number, checksum: number): void {
  for (let digit = 0; digit < 8; digit += 1) bytes[at + digit] = HEX_DIGITS[(checksum >>> (28 - 4 * digit)) & 15] ?? 0;
}

/** Undefined where the line is not what was written. */
function readLine(line: Buffer): UsageEvent | undefined {
  const packed = line.subarray(TEXT_AT);
  if (line.toString('latin1', 0, TEXT_AT) !== `${crc32(packed).toString(16).padStart(8, '0')} `) return undefined;
  try {
    return unpackUsageEvent(packed.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The first id in a line is that of its event. */
const idOf = (line: Buffer): string | undefined =>
  /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(line.toString('latin1', TEXT_AT, TEXT_AT + 80))?.[0];

/** Fixed width, so that one that was cut short is recognised. */
const encodeDone = (bytes: number): string => `${String(bytes).padStart(16, '0')}\n`;

function readDone(progress: AppendFile, size: number): number {
  const text = progress.read(0, 17).toString('latin1');
  const bytes = /^\d{16}\n$/.test(text) ? Number(text) : 0;
  return bytes <= size ? bytes : 0;
}

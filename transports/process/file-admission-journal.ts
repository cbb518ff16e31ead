/**
 * The admissions of a gateway in a file, a line each: `+` and the event that would report the request as lost, `-` and the id of one that
 * has ended. Written into the page cache like the spool. Rewritten with what is still under way when it has grown.
 */
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AdmissionJournal } from '../../actors/ports/admission-journal.ts';
import type { Log } from '../../actors/ports/log.ts';
import { decodeUsageEvent, encodeUsageEvent, type UsageEvent } from '../../actors/relay/usage-event.ts';

const rewrittenFrom = 1024 * 1024;

export function createFileAdmissionJournal(path: string, log: Log): AdmissionJournal {
  let file: number | undefined;
  let size = 0;
  /** Lines of what is under way, by event id. */
  const live = new Map<string, string>();
  let isFirst = true;

  const rewrite = () => {
    const text = [...live.values()].join('');
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
    // Opened before the old one is closed: where there is no descriptor left, the old file is still there to write to.
    const rewritten = openSync(path, 'a', 0o600);
    if (file !== undefined) closeSync(file);
    file = rewritten;
    size = Buffer.byteLength(text);
  };

  return {
    open: () => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      file = openSync(path, 'a+', 0o600);
      // What this process admitted is still under way when only the emitter starts again.
      if (!isFirst) return [];
      isFirst = false;
      const left = new Map<string, UsageEvent>();
      for (const line of readFileSync(path, 'utf8').split('\n')) {
        if (line.startsWith('-')) left.delete(line.slice(1));
        else if (line !== '') remember(line, left, log);
      }
      for (const event of left.values()) live.set(event.eventId, admittedLine(event));
      rewrite();
      return [...left.values()];
    },
    note: (admitted, endedIds) => {
      if (file === undefined) return;
      let text = '';
      for (const event of admitted) {
        const line = admittedLine(event);
        live.set(event.eventId, line);
        text += line;
      }
      for (const id of endedIds) {
        if (live.delete(id)) text += `-${id}\n`;
      }
      if (text === '') return;
      size += writeSync(file, text);
      if (size > rewrittenFrom) rewrite();
    },
    close: () => {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

const admittedLine = (event: UsageEvent): string => `+${JSON.stringify(encodeUsageEvent(event))}\n`;

/** The last line may have been cut short: its request was not yet sent on. */
function remember(line: string, left: Map<string, UsageEvent>, log: Log): void {
  try {
    const event = decodeUsageEvent(JSON.parse(line.slice(1)) as Record<string, unknown>);
    left.set(event.eventId, event);
  } catch {
    log.warn('the note of an admitted request cannot be read', { bytes: line.length });
  }
}

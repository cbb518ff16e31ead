/**
 * The admissions of a gateway in a file, a line each: `+` and the event that would report the request as lost, `-` and the id of one that
 * has ended. Rewritten with what is still under way when it has grown.
 */
import { readFileSync } from 'node:fs';
import { IdTable } from '../../actors/bounds/id-table.ts';
import type { AdmissionJournal } from '../../actors/events/admission-notes.ts';
import type { Log } from '../../actors/ports/log.ts';
import { packLostEvent, unpackUsageEvent } from '../../actors/events/usage-event.ts';
import type { AdmittedRequest, UsageEvent } from '../../actors/events/usage-event.ts';
import { AppendFile } from './append-file.ts';

/** To give up a file costs as much as some hundred notes. */
const REWRITTEN_FROM = 4 * 1024 * 1024;

export function createFileAdmissionJournal(path: string, log: Log): AdmissionJournal {
  let file: AppendFile | undefined;
  /** What is under way, by event id. */
  const live = new IdTable<AdmittedRequest>();
  let isFirst = true;
  /** The file lacks something, or has grown to this size. */
  let rewriteFrom = REWRITTEN_FROM;

  const rewrite = (opened: AppendFile) => {
    // An empty file needs no room, which a full disk has not.
    if (live.size === 0) opened.truncate(0);
    else opened.replace(live.values().map(admittedLine).join(''));
    // With much under way the next time is put off, or each note would write all of it again.
    rewriteFrom = Math.max(REWRITTEN_FROM, 2 * opened.size);
  };

  return {
    open: () => {
      file?.close();
      file = undefined;
      file = new AppendFile(path);
      // What this process admitted is still under way when only the emitter starts again.
      if (!isFirst) return [];
      const left = new Map<string, UsageEvent>();
      for (const line of readFileSync(path, 'utf8').split('\n')) {
        if (line.startsWith('-')) left.delete(line.slice(1));
        else if (line !== '') remember(line, left, log);
      }
      for (const event of left.values()) live.set(event.eventId, event);
      // Also because the last line may have been cut short.
      rewriteFrom = 0;
      isFirst = false;
      return [...left.values()];
    },
    note: (admitted, endedIds) => {
      let text = '';
      for (const request of admitted) {
        live.set(request.eventId, request);
        text += admittedLine(request);
      }
      for (const id of endedIds) {
        if (live.delete(id)) text += `-${id}\n`;
      }
      if (file === undefined) throw new Error('The journal is not open.');
      if (text === '') return;
      try {
        if (file.size >= rewriteFrom) rewrite(file);
        else file.append(text);
      } catch (error) {
        rewriteFrom = 0;
        throw error;
      }
    },
    close: () => {
      file?.close();
      file = undefined;
    },
  };
}

const admittedLine = (request: AdmittedRequest): string => `+${packLostEvent(request)}\n`;

/** The last line may have been cut short: its request was not yet sent on. */
function remember(line: string, left: Map<string, UsageEvent>, log: Log): void {
  try {
    const event = unpackUsageEvent(line.slice(1));
    left.set(event.eventId, event);
  } catch {
    log.warn('the note of an admitted request cannot be read', { bytes: line.length });
  }
}

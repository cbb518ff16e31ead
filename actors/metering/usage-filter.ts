/**
 * Takes one event out of a chat's stream: the account that was asked for in the client's place, which has usage and no choices. Everything
 * else passes unchanged, each byte as soon as its event is known to be another one, and each event at its end at the latest.
 */
import { LIMITS } from '../../config/limits.ts';

export interface UsageFilter {
  /** Returns what passes now. */
  push(chunk: Buffer): Buffer;
  /** The stream is over: returns what was held back. */
  flush(): Buffer;
}

const LF = 0x0a;
const CR = 0x0d;
const nothing = Buffer.alloc(0);

export function createUsageFilter(): UsageFilter {
  /** The event so far, while it may be the account. */
  let held: Buffer = nothing;
  let isOther = false;
  let lineIsEmpty = true;
  let afterCr = false;
  /** The line feed that may follow belongs to an event that was taken out. */
  let dropsLf = false;

  /** The event that ends with `rest`: what passes of it. */
  const endEvent = (rest: Buffer): Buffer => {
    const event = join(held, rest);
    const isDropped = !isOther && isAccount(event);
    held = nothing;
    isOther = false;
    dropsLf = isDropped;
    return isDropped ? nothing : event;
  };

  /** The event goes on behind `rest`: what passes of it by now. */
  const continueEvent = (rest: Buffer): Buffer => {
    const event = join(held, rest);
    isOther ||= event.length > LIMITS.relay.accountBytes || isKnownOther(event.toString('latin1'));
    held = isOther ? nothing : Buffer.from(event);
    return isOther ? event : nothing;
  };

  return {
    push: (chunk) => {
      const passed: Buffer[] = [];
      let from = 0;
      let lineFrom = 0;
      for (let at = lineBreak(chunk, 0); at !== -1; at = lineBreak(chunk, lineFrom)) {
        const isEmpty = lineIsEmpty && at === lineFrom;
        const isSecondHalf = afterCr && isEmpty && chunk[at] === LF;
        lineFrom = at + 1;
        lineIsEmpty = true;
        afterCr = chunk[at] === CR;
        if (isSecondHalf) {
          if (at > from || held.length > 0) continue;
          // It belongs to what was decided before it came.
          if (!dropsLf) passed.push(chunk.subarray(at, at + 1));
          from = at + 1;
        } else if (isEmpty) {
          passed.push(endEvent(chunk.subarray(from, at + 1)));
          from = at + 1;
        } else dropsLf = false;
      }
      if (lineFrom < chunk.length) lineIsEmpty = afterCr = dropsLf = false;
      if (from < chunk.length) passed.push(continueEvent(chunk.subarray(from)));
      return passed.length === 1 ? (passed[0] ?? nothing) : Buffer.concat(passed);
    },
    flush: () => endEvent(nothing),
  };
}

/** Where the next line ends, by a line feed or a carriage return; -1 where it does not yet. */
function lineBreak(chunk: Buffer, from: number): number {
  const lf = chunk.indexOf(LF, from);
  const cr = chunk.subarray(from, lf === -1 ? chunk.length : lf).indexOf(CR);
  return cr === -1 ? lf : from + cr;
}

function join(held: Buffer, rest: Buffer): Buffer {
  return held.length === 0 ? rest : Buffer.concat([held, rest]);
}

/** Quotes inside of a JSON string are escaped, so that these are members and never words. */
function isKnownOther(event: string): boolean {
  const [, firstOfData = '{'] = /(?:^|[\r\n])data:[ \t]*(\S)/.exec(event) ?? [];
  return firstOfData !== '{' || /"choices"\s*:\s*(?:[^\s[]|\[\s*[^\s\]])/.test(event);
}

function isAccount(event: Buffer): boolean {
  const data = event
    .toString('utf8')
    .split(/\r\n|\r|\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5))
    .join('\n');
  if (!data.includes('"usage"')) return false;
  try {
    const { choices, usage } = JSON.parse(data) as { readonly choices?: unknown; readonly usage?: unknown };
    return Array.isArray(choices) && choices.length === 0 && typeof usage === 'object' && usage !== null;
  } catch {
    return false;
  }
}

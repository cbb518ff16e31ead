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
    held = isOther ? nothing : event;
    return isOther ? event : nothing;
  };

  return {
    push: (chunk) => {
      const passed: Buffer[] = [];
      let from = 0;
      for (let at = 0; at < chunk.length; at += 1) {
        const byte = chunk[at];
        if (byte === LF && afterCr) {
          afterCr = false;
          if (at > from || held.length > 0) continue;
          // It belongs to what was decided before it came.
          if (!dropsLf) passed.push(chunk.subarray(at, at + 1));
          from = at + 1;
          continue;
        }
        dropsLf = false;
        afterCr = byte === CR;
        if (byte !== LF && byte !== CR) lineIsEmpty = false;
        else if (!lineIsEmpty) lineIsEmpty = true;
        else {
          passed.push(endEvent(chunk.subarray(from, at + 1)));
          from = at + 1;
        }
      }
      if (from < chunk.length) passed.push(continueEvent(chunk.subarray(from)));
      return passed.length === 1 ? (passed[0] ?? nothing) : Buffer.concat(passed);
    },
    flush: () => endEvent(nothing),
  };
}

/** The chunk's memory is the caller's: what is held beyond the call is a copy. */
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

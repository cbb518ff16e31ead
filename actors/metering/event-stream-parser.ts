/**
 * Server-sent events, from pieces of any size (WHATWG HTML §9.2.6): a piece may end anywhere, also inside a character or between CR and LF.
 * The gateway reads passing answers by it and the desktop client its own; it needs nothing else.
 */
import { StringDecoder } from 'node:string_decoder';

export interface StreamedEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  /** Its data lines, joined. */
  readonly data: string;
}

interface EventStreamParser {
  push(piece: Uint8Array): void;
  /** Whether the bytes so far end with a whole event. */
  betweenEvents(): boolean;
}

const LF = 0x0a;
const CR = 0x0d;
/** Of an event that is passed over. Accounts stand at the end, and have 300 characters. */
const END_CHARACTERS = 16_384;
const BYTE_ORDER_MARK = '\ufeff';

/**
 * `onEvent` gets each event as soon as its blank line arrived; one without data is none, one without its blank line is dropped, as the
 * standard says, and one of more than `maxCharacters` (UTF-16 code units, never more than its bytes) is passed over: `onLong` gets its name,
 * where that came first, and its last characters.
 */
export function createEventStreamParser(
  maxCharacters: number,
  onEvent: (event: StreamedEvent) => void,
  onLong: (event: string, end: string) => void = () => undefined,
): EventStreamParser {
  const decoder = new StringDecoder('utf8');
  /** What arrived of a line that has not ended; of an event that is passed over, its end. */
  let pending = '';
  /** Whether it has begun, passed over or not: only an empty line ends an event. */
  let isHolding = false;
  let isFirstLine = true;
  let lastByte = LF;
  let endsWithCr = false;
  let event = '';
  /** Its data lines, joined; `undefined` before the first. */
  let data: string | undefined;
  /** Of the event under way, without the ends of its lines. */
  let length = 0;

  const endEvent = () => {
    if (length > maxCharacters) onLong(event, pending);
    else if (data !== undefined) onEvent({ event: event === '' ? 'message' : event, data });
    event = '';
    data = undefined;
    length = 0;
    pending = '';
  };

  const readLine = (text: string) => {
    const line = isFirstLine && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
    if (line === '') return endEvent();
    if (line === 'data' || line.startsWith('data:')) {
      const value = valueOf(line, 'data:'.length);
      data = data === undefined ? value : `${data}\n${value}`;
    } else if (line === 'event' || line.startsWith('event:')) event = valueOf(line, 'event:'.length);
  };

  return {
    push: (piece) => {
      if (piece.length === 0) return;
      lastByte = piece[piece.length - 1] ?? LF;
      const text = decoder.write(piece);
      if (text === '') return;
      let start = endsWithCr && text.startsWith('\n') ? 1 : 0;
      // Each is looked for once behind the last one found: a piece may consist of nothing but ends of lines of one sort.
      const find = (character: string) => {
        const at = text.indexOf(character, start);
        return at === -1 ? Infinity : at;
      };
      let lf = find('\n');
      let cr = find('\r');
      for (;;) {
        const end = Math.min(lf, cr);
        if (end === Infinity) break;
        length += end - start;
        if (!isHolding && end === start) endEvent();
        else if (length > maxCharacters) pending = (pending + text.slice(start, end)).slice(-END_CHARACTERS);
        else {
          readLine(pending + text.slice(start, end));
          pending = '';
        }
        isHolding = false;
        isFirstLine = false;
        start = end === cr && end + 1 === lf ? end + 2 : end + 1;
        if (lf < start) lf = find('\n');
        if (cr < start) cr = find('\r');
      }
      endsWithCr = text.endsWith('\r');
      if (start === text.length) return;
      isHolding = true;
      length += text.length - start;
      pending += text.slice(start);
      if (length > maxCharacters) pending = pending.slice(-END_CHARACTERS);
    },
    betweenEvents: () => length === 0 && (lastByte === LF || lastByte === CR),
  };
}

const valueOf = (line: string, from: number): string => line.slice(line[from] === ' ' ? from + 1 : from);

/** The events of a whole stream; of any size, for whoever asked for it. */
export async function* parseEventStream(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<StreamedEvent> {
  let arrived: StreamedEvent[] = [];
  const parser = createEventStreamParser(Infinity, (event) => arrived.push(event));
  for await (const piece of pieces) {
    parser.push(piece);
    const events = arrived;
    arrived = [];
    for (const event of events) yield event;
  }
}

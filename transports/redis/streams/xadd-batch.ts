/**
 * Usage events on their way to their streams: all `XADD` commands of a batch in one write. ioredis carries them and pairs its answers with
 * them, but neither builds the commands nor keeps a promise for each, which would cost four times as much as all the rest.
 */
import { Command, type Redis } from 'ioredis';
import {
  EVENT_FIELD_NAMES,
  fieldTexts,
  USAGE_EVENT_TYPES,
  type UsageEvent,
  type UsageEventType,
} from '../../../actors/events/usage-event.ts';
import { streamKey } from '../../../config/streams.ts';

type OnAnswered = (refused: readonly UsageEvent[]) => void;

/**
 * Sends the events in order. `onAnswered` is called once, when each was answered or the connection has broken, with those that Redis has not
 * taken or may not have.
 */
export function sendXadds(redis: Redis, events: readonly UsageEvent[], onAnswered: OnAnswered): void {
  const batch = new XaddBatch(events, onAnswered);
  redis.sendCommand(batch);
  // Those that the first has written along with itself: they are queued for their answers.
  const written = { isPipeline: true, destination: { redis }, write: () => true } as const;
  for (let sent = 1; sent < events.length; sent += 1) redis.sendCommand(batch, written);
}

const NOTHING = Buffer.alloc(0);

/** One command for ioredis, queued once for each of its events. Answers come in their order. On a connection that sends nothing again by itself. */
class XaddBatch extends Command {
  #unwritten: Buffer;

  constructor(events: readonly UsageEvent[], onAnswered: OnAnswered) {
    super('xadd');
    this.#unwritten = encodeXadds(events);
    const refused: UsageEvent[] = [];
    let answered = 0;
    const onAnswer = (isTaken: boolean) => {
      const event = events[answered];
      if (event !== undefined && !isTaken) refused.push(event);
      answered += 1;
      if (answered === events.length) onAnswered(refused);
    };
    this.resolve = () => onAnswer(true);
    this.reject = () => onAnswer(false);
  }

  override toWritable(): Buffer {
    const bytes = this.#unwritten;
    this.#unwritten = NOTHING;
    return bytes;
  }
}

/** The commands as they go over the wire (RESP): how many arguments, then of each its length in bytes and itself. */
function encodeXadds(events: readonly UsageEvent[]): Buffer {
  // Nearly always all is ASCII, and a text as long as its bytes: to find out afterwards is cheaper than to measure each.
  const encoded = encode(events, (text) => text.length);
  const bytes = Buffer.from(encoded);
  return bytes.length === encoded.length ? bytes : Buffer.from(encode(events, (text) => Buffer.byteLength(text)));
}

function encode(events: readonly UsageEvent[], lengthOf: (text: string) => number): string {
  let encoded = '';
  for (const event of events) {
    encoded += STARTS[event.type];
    let at = 0;
    for (const text of fieldTexts(event)) {
      const length = lengthOf(text);
      encoded += (BEFORE_VALUES[at]?.[length] ?? beforeValue(at, length)) + text;
      at += 1;
    }
    encoded += END;
  }
  return encoded;
}

const END = '\r\n';
const argument = (text: string): string => `${END}$${text.length}${END}${text}`;

/** What stands before the first field. */
const STARTS = Object.fromEntries(
  USAGE_EVENT_TYPES.map((type) => {
    const start = ['XADD', streamKey(type), '*', 'v', '1'];
    return [type, `*${start.length + 2 * EVENT_FIELD_NAMES.length}${start.map(argument).join('')}`];
  }),
) as Readonly<Record<UsageEventType, string>>;

/** The name of a field, and how long its value is. */
const beforeValue = (at: number, length: number): string =>
  `${argument(EVENT_FIELD_NAMES[at] ?? '')}${END}$${length}${END}`;

/** For each field and each usual length. */
const BEFORE_VALUES = EVENT_FIELD_NAMES.map((_, at) =>
  Array.from({ length: 128 }, (_, length) => beforeValue(at, length)),
);

/**
 * What the meters read of bodies that pass by, of any form, well made and damaged: the same however they are cut, what a slow and obvious
 * reader finds in the whole, and in a time that grows with their length and no faster. `npm run fuzz -- meters --minutes 10`.
 */
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { createAnswerReader, type AnswerKind } from '../../actors/metering/answer-reader.ts';
import { createEventStreamParser } from '../../actors/metering/event-stream-parser.ts';
import { JsonBodyScanner } from '../../actors/metering/json-body-scanner.ts';
import { createMultipartScanner } from '../../actors/metering/multipart-scanner.ts';
import { createMultipartMeter, JsonMeter, type UploadMeter } from '../../actors/metering/upload-meter.ts';
import { UsageFilter } from '../../actors/metering/usage-filter.ts';
import { VelloError } from '../../config/errors.ts';
import { chanceFrom, fragments, fuzzDeadline, fuzzMs, fuzzSeed, mutate, type Chance } from '../fixtures/fuzz-run.ts';
import {
  endsBetweenEvents,
  isObject,
  parsed,
  readEvents,
  readForm,
  tokensIn,
  withoutAccounts,
} from '../fixtures/meter-oracles.ts';
import { anyEventStream, anyForm, anyJson, BOUNDARY, EVENT_DATA } from '../fixtures/metered-bodies.ts';

interface Meter {
  /** A body for it, in latin1. */
  any(chance: Chance): string;
  /** How bodies may begin that consist of one thing repeated, and of what: what its reader looks for. */
  readonly starts: readonly string[];
  readonly bits: readonly string[];
  open(bytes: Buffer, chance: Chance, isDamaged: boolean): Case;
}

interface Case {
  /** Reads the bytes in pieces, the memory of which is overwritten behind it. */
  readonly read: (pieces: Iterable<Buffer>) => object;
  /** What is wrong with what was read of the whole; undefined for nothing. */
  readonly judge: (reading: never) => string | undefined | Promise<string | undefined>;
}

const refusalOf = (act: () => void): boolean => {
  try {
    act();
    return false;
  } catch (error) {
    if (error instanceof VelloError) return true;
    throw error;
  }
};

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

const differs = (found: unknown, expected: unknown): string | undefined =>
  isDeepStrictEqual(found, expected) ? undefined : `${JSON.stringify(found)}, and not ${JSON.stringify(expected)}`;

// Forms.

const FORM_STARTS = [
  '--b\r\nContent-Disposition: form-data',
  '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
  '',
];
const FORM_BITS = [
  ' ',
  ';',
  ';a=b',
  '"',
  '\\',
  ';a="',
  '\r\n',
  '\r',
  '\n',
  '-',
  '\n--',
  '\n--b',
  '--b',
  '\r\n--b\r\n\r\n',
  'x',
];

interface FormReading {
  readonly isRefused: boolean;
  /** Each whole part, its name and its bytes. */
  readonly parts: readonly string[];
}

const multipart: Meter = {
  any: anyForm,
  starts: FORM_STARTS,
  bits: FORM_BITS,
  open: (bytes) => {
    return {
      read: (pieces): FormReading => {
        const parts: string[] = [];
        let open = '';
        const scanner = createMultipartScanner(BOUNDARY, {
          begin: (name) => (open = `${name} `),
          data: (data) => (open += Buffer.from(data).toString('latin1')),
          end: () => parts.push(open),
        });
        const isRefused = refusalOf(() => {
          lend(pieces, (piece) => scanner.push(piece));
          scanner.end();
        });
        return { isRefused, parts };
      },
      judge: async ({ isRefused, parts }: FormReading) => {
        // What is refused is nobody's measure, and the other reader is slow.
        if (isRefused) return undefined;
        const theirs = await readForm(bytes, `multipart/form-data; boundary=${BOUNDARY}`);
        if (theirs === undefined) return undefined;
        // A part without a name is none for some; a text is given as the characters that it can be read as.
        const named = (all: readonly string[]) => all.filter((part) => !part.startsWith(' ')).map(asText);
        return differs(named(parts), named(theirs));
      },
    };
  },
};

const asText = (bytes: string): string => new TextDecoder().decode(Buffer.from(bytes, 'latin1'));

// JSON bodies.

const JSON_BITS = ['{', '}', '[', ']', '"', '\\', '\\"', ':', ',', ' ', '"a":', '"x",', '"model":"', 'x', '\0'];

interface JsonReading {
  readonly keys: readonly string[];
  readonly isRepeated: boolean;
  readonly model: string | undefined;
  readonly closedAt: number | undefined;
  readonly members: readonly (readonly [key: string, start: number, end: number, literal: string])[];
  readonly textBytes: number;
  readonly nuls: number;
}

const json: Meter = {
  any: anyJson,
  starts: ['{', '{"a":"', ''],
  bits: JSON_BITS,
  open: (bytes) => {
    return {
      read: (pieces): JsonReading => {
        const keys: string[] = [];
        let isRepeated = false;
        let nuls = 0;
        const scanner = new JsonBodyScanner({
          onKey: (key, again) => {
            keys.push(key);
            isRepeated ||= again;
          },
          onTooManyKeys: () => undefined,
          onNul: () => (nuls += 1),
          onRest: () => undefined,
        });
        lend(pieces, (piece) => scanner.push(piece));
        const members = [...new Set(keys)].flatMap((key) => {
          const found = scanner.member(key);
          return found === undefined ? [] : [[key, found.start, found.end, found.literal] as const];
        });
        const [model, closedAt, textBytes] = [scanner.model(), scanner.closedAt(), scanner.textBytes(true)];
        return { keys, isRepeated, model, closedAt, members, textBytes, nuls };
      },
      judge: (reading: JsonReading) => {
        const body = bytes.toString();
        const value = parsed(body);
        if (!isObject(value) || !Buffer.from(body).equals(bytes)) return undefined;
        const keys = Object.keys(value);
        const text = bytes.toString('latin1');
        if (reading.isRepeated)
          return new Set(reading.keys).size === keys.length ? undefined : 'a key that is given once';
        const files = [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, string = '']) => string);
        const fileBytes = files
          .filter((file) => file.length > 2_048 && /^[\w+/=:;,.-]{64}[^ ]*$/.test(file))
          .join('').length;
        const named = reading.members.find(([key]) => key === 'model');
        // Longer ones are no names.
        const isName = named !== undefined && bytes.toString('latin1', named[1], named[2]).trim().length < 512 + 2;
        const model = isName && typeof value['model'] === 'string' ? value['model'] : undefined;
        return (
          differs([...reading.keys].sort(), keys.sort()) ??
          differs(reading.closedAt, text.lastIndexOf('}')) ??
          differs(reading.model, model) ??
          differs(reading.textBytes, bytes.length - fileBytes) ??
          reading.members
            .map(([key, start, end, literal]) => {
              const given = bytes.toString('utf8', start, end).trim();
              const word = /^["[{]/.test(given) ? '' : given.slice(0, 5);
              return differs(parsed(given), value[key]) ?? differs(literal, word);
            })
            .find((fault) => fault !== undefined)
        );
      },
    };
  },
};

// Event streams.

const STREAM_BITS = [
  '\r',
  '\n',
  '\r\n',
  'data:',
  'data: x\n',
  'data: {"usage":',
  '"usage"',
  '"text":"',
  '\\',
  '"',
  ' ',
  ':',
  'x',
  '{',
  '[',
  'event: y\n',
];

/** As the parser has it. */
const END_CHARACTERS = 16_384;

const eventStream: Meter = {
  any: anyEventStream,
  starts: [''],
  bits: STREAM_BITS,
  open: (bytes, chance) => {
    const most = chance.pick([10, 100, 30_000]);
    return {
      read: (pieces) => {
        const events: string[] = [];
        const parser = createEventStreamParser(
          most,
          ({ event, data }) => events.push(`${event} ${data}`),
          (event, end) => events.push(`long ${event} ${end}`),
        );
        lend(pieces, (piece) => parser.push(piece));
        return { events, isBetween: parser.betweenEvents() };
      },
      judge: ({ events, isBetween }: { readonly events: string[]; readonly isBetween: boolean }) => {
        const text = bytes.toString();
        return differs(events, readEvents(text, most, END_CHARACTERS)) ?? differs(isBetween, endsBetweenEvents(text));
      },
    };
  },
};

const usageFilter: Meter = {
  any: anyEventStream,
  starts: ['', 'data: {"choices":[]'],
  bits: STREAM_BITS,
  open: (bytes) => {
    return {
      read: (pieces) => {
        const filter = new UsageFilter();
        const passed: string[] = [];
        lend(pieces, (piece) => passed.push(filter.push(piece).toString('latin1')));
        passed.push(filter.flush().toString('latin1'));
        return { passed: passed.join('') };
      },
      judge: ({ passed }: { readonly passed: string }) => differs(passed, withoutAccounts(bytes.toString('latin1'))),
    };
  },
};

const KINDS: readonly AnswerKind[] = ['transcript', 'words', 'images', 'other'];
const MEDIA = ['text/event-stream', 'application/json', '', 'text/plain', 'audio/mpeg'];

const answer: Meter = {
  any: (chance) => (chance.next() < 0.6 ? anyEventStream(chance) : latin1(JSON.stringify(chance.pick(EVENT_DATA)))),
  starts: ['', 'data: ', '{'],
  bits: STREAM_BITS,
  open: (bytes, chance, isDamaged) => {
    const media = chance.pick(MEDIA);
    const kind = chance.pick(KINDS);
    return {
      read: (pieces) => {
        const reader = createAnswerReader(kind, media);
        lend(pieces, (piece) => reader.push(piece));
        return { summary: reader.summary(), isBetween: reader.betweenEvents(), isFinished: reader.finished };
      },
      judge: ({
        summary,
      }: {
        readonly summary: { usage?: unknown; finished: boolean; text?: string; passedTokens?: number };
      }) => {
        if (media !== 'text/event-stream' || isDamaged) return undefined;
        const events = readEvents(bytes.toString(), Infinity, 0).map((event) => event.slice(event.indexOf(' ') + 1));
        const values = events.map(parsed).filter(isObject);
        const closing = /^(transcript\.text\.done|response\.completed|speech\.audio\.done)$/;
        const isFinished = events.includes('[DONE]') || values.some(({ type }) => closing.test(String(type)));
        const usage = values
          .map((value) =>
            [value['usage'], isObject(value['response']) ? value['response']['usage'] : undefined].find(isObject),
          )
          .findLast(isObject);
        const isReadable = events.every((data) => data === '[DONE]' || isObject(parsed(data)));
        const tokens = events.reduce((sum, data) => sum + tokensIn(parsed(data)), 0);
        const counted =
          kind === 'words' ? (events.length === 0 ? undefined : tokens) : kind === 'transcript' ? undefined : 0;
        return (
          differs(summary.finished, isFinished) ??
          differs(summary.usage, usage) ??
          (isReadable ? differs(summary.passedTokens, counted) : undefined)
        );
      },
    };
  },
};

interface MeterReading {
  readonly isRefused: boolean;
  readonly model?: string | undefined;
  readonly facts?: unknown;
}

function readUpload(meter: UploadMeter, pieces: Iterable<Buffer>): MeterReading {
  const refusals: VelloError[] = [];
  const take = (chunks: readonly Buffer[], isLast: boolean) => {
    const refusal = refusals.length > 0 ? undefined : meter.take(chunks, isLast);
    if (refusal !== undefined) refusals.push(refusal);
  };
  lend(pieces, (piece) => take([piece], false));
  take([], true);
  // What is refused is nobody's measure.
  if (refusals.length > 0) return { isRefused: true };
  return { isRefused: false, model: meter.model(), facts: meter.facts() };
}

const formMeter: Meter = {
  any: anyForm,
  starts: FORM_STARTS,
  bits: FORM_BITS,
  open: (bytes) => {
    return {
      read: (pieces) => readUpload(createMultipartMeter(BOUNDARY), pieces),
      judge: async ({ isRefused, model }: MeterReading) => {
        if (isRefused) return undefined;
        const theirs = await readForm(bytes, `multipart/form-data; boundary=${BOUNDARY}`);
        if (theirs === undefined) return undefined;
        const models = theirs
          .filter((part) => part.startsWith('model '))
          .map((part) => Buffer.from(part.slice(6), 'latin1').toString().trim());
        return (
          differs(model?.replace(/^\ufeff/, ''), models[0]?.replace(/^\ufeff/, '')) ?? differs(models.length <= 1, true)
        );
      },
    };
  },
};

const jsonMeter: Meter = {
  any: anyJson,
  starts: ['{', '{"a":"'],
  bits: JSON_BITS,
  open: (bytes, chance) => {
    const named = chance.next() < 0.2 ? 'm' : undefined;
    const forbidden = chance.next() < 0.3 ? 'stream' : undefined;
    return {
      read: (pieces) => readUpload(new JsonMeter(named, forbidden), pieces),
      judge: ({ isRefused, model }: MeterReading) => {
        const value = parsed(bytes.toString());
        if (isRefused || !isObject(value) || model === undefined) return undefined;
        if (forbidden !== undefined && ![undefined, null, false].includes(value[forbidden] as null))
          return 'takes what is forbidden';
        return differs(model, value['model']);
      },
    };
  },
};

let memory: Buffer = Buffer.alloc(65_536);

/** In memory that is written over when it was read, as a connection's is. */
function lend(pieces: Iterable<Buffer>, read: (piece: Buffer) => void): void {
  for (const piece of pieces) {
    if (piece.length > memory.length) memory = Buffer.alloc(piece.length);
    const lent = memory.subarray(0, piece.length);
    lent.set(piece);
    read(lent);
    lent.fill(HASH);
  }
}

const HASH = '#'.charCodeAt(0);

/** A long one seldom in very many. */
function cutsOf(bytes: Buffer, chance: Chance): Iterable<Buffer> {
  const isMany = bytes.length < 1_000 || chance.next() < 0.05;
  return fragments(bytes, chance, isMany ? undefined : [300, 5_000, bytes.length + 1]);
}

const METERS: Readonly<Record<string, Meter>> = {
  multipart,
  json,
  eventStream,
  usageFilter,
  answer,
  formMeter,
  jsonMeter,
};
const shareMs = fuzzMs / (Object.keys(METERS).length + 1);

t.setTimeout(fuzzMs + 60_000);

for (const [name, meter] of Object.entries(METERS)) {
  t.test(`${name}: what is read, however it is cut (seed ${fuzzSeed})`, fuzzDeadline, async (t) => {
    const seeds = chanceFrom(fuzzSeed);
    const until = Date.now() + shareMs;
    const faults: object[] = [];
    let inputs = 0;
    for (; Date.now() < until && faults.length === 0; inputs += 1) {
      const seed = seeds.below(2 ** 32);
      const chance = chanceFrom(seed);
      const made = Buffer.from(meter.any(chance), 'latin1');
      const isDamaged = chance.next() < 0.4;
      const bytes = isDamaged ? mutate(made, chance) : made;
      const { read, judge } = meter.open(bytes, chance, isDamaged);
      const whole = read([bytes]);
      const body = bytes.toString('latin1', 0, 1_000);
      const cuts = [cutsOf(bytes, chance), ...(chance.next() < 0.2 && bytes.length < 500 ? [piecesOf(bytes, 1)] : [])];
      for (const pieces of cuts) {
        const cut = read(pieces);
        if (!isDeepStrictEqual(cut, whole)) faults.push({ seed, body, whole, cut });
      }
      const fault = await judge(whole as never);
      if (fault !== undefined) faults.push({ seed, body, fault });
    }
    t.strictSame(faults, []);
    t.comment(`${inputs} inputs`);
  });
}

/** Of a part's head, and of a large piece. */
const SIZES = [8_000, 500_000];
const mostMicros = (bytes: number) => 10_000 + 3 * bytes;

/** Of processor time. */
function microsOf(act: () => void): number {
  const before = process.cpuUsage();
  act();
  return process.cpuUsage(before).user;
}

interface Repeated {
  readonly name: string;
  readonly start: string;
  readonly bit: string;
  readonly size: number;
}

/** Each of a single bit, beginning anywhere among them, and then without end of several. */
function* anyRepeated(chance: Chance): Generator<Repeated> {
  const single = Object.entries(METERS).flatMap(([name, { starts, bits }]) =>
    starts.flatMap((start) => bits.flatMap((bit) => SIZES.map((size) => ({ name, start, bit, size })))),
  );
  const first = chance.below(single.length);
  yield* [...single.slice(first), ...single.slice(0, first)];
  for (;;) {
    const one = chance.pick(single);
    const bits = METERS[one.name]?.bits ?? [];
    yield { ...one, bit: one.bit + chance.pick(bits) + (chance.next() < 0.5 ? chance.pick(bits) : '') };
  }
}

t.test(
  `bodies of little but one thing take a time that grows with their length (seed ${fuzzSeed})`,
  fuzzDeadline,
  async (t) => {
    const chance = chanceFrom(fuzzSeed);
    const until = Date.now() + shareMs;
    const faults: object[] = [];
    let inputs = 0;
    for (const repeated of anyRepeated(chance)) {
      if (Date.now() > until || faults.length > 0) break;
      inputs += 1;
      const { name, start, bit, size } = repeated;
      const bytes = Buffer.from(`${start}${bit.repeat(size / bit.length)}x\r\n\r\n`, 'latin1');
      const seed = chance.below(2 ** 32);
      const read = (pieceBytes: number) =>
        microsOf(() => METERS[name]?.open(bytes, chanceFrom(seed), true).read(piecesOf(bytes, pieceBytes)));
      for (const pieceBytes of [bytes.length, 1_000]) {
        const isSlow = () => read(pieceBytes) > mostMicros(bytes.length);
        // Thrice: what else the process does may fall on one of them.
        if (isSlow() && isSlow() && isSlow()) faults.push({ seed, ...repeated, pieceBytes });
      }
    }
    t.strictSame(faults, []);
    t.comment(`${inputs} inputs`);
  },
);

function* piecesOf(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

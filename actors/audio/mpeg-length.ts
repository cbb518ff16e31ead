/** The length of MPEG audio (layers I to III, MPEG 1, 2 and 2.5) and of AAC in ADTS, by counting the frames that passed. */
import type { ByteProgram } from './formats/byte-program.ts';
import { frameOf } from './formats/mpeg.ts';
import type { LengthReader } from './length-reader.ts';

/** @param first the bytes of a frame's header that the caller has taken already; empty where frames have yet to be looked for. */
export function mpegLength(first: Uint8Array): LengthReader {
  const state = { seconds: 0, waiting: 0 };
  return {
    program: readFrames(Buffer.from(first), state),
    // One frame alone is not told from bytes that look like one.
    seconds: () => (state.seconds > 0 ? state.seconds + state.waiting : 0),
  };
}

/** A frame counts once the next one follows it, or the file ends with it. */
function* readFrames(first: Buffer, state: { seconds: number; waiting: number }): ByteProgram {
  let head: Uint8Array = first;
  let kind = -1;
  let isFirst = true;
  for (;;) {
    while (head.length < HEAD_BYTES) head = Buffer.concat([head, yield { take: HEAD_BYTES - head.length }]);
    const frame = frameOf(head);
    if (frame === undefined) {
      state.waiting = 0;
      head = yield* findHead(head);
      continue;
    }
    if (frame.kind === kind) state.seconds += state.waiting;
    kind = frame.kind;
    state.waiting = frame.seconds;
    let left = Math.max(0, frame.bytes - head.length);
    // The first frame of most files holds a table and no sound. Later ones are not looked at: all could be made to look so.
    if (isFirst) {
      const start = Buffer.from(yield { take: Math.min(TAG_LOOK_BYTES, left) });
      left -= start.length;
      const table = tableOf(start);
      if (table !== undefined) {
        state.waiting = 0;
        state.seconds = (-table.addedSamples / frame.samples) * frame.seconds;
      }
    }
    isFirst = false;
    yield { skip: left };
    head = Buffer.from(yield { take: HEAD_BYTES });
  }
}

const HEAD_BYTES = 6;
/** Of a table, up to the lengths of the gaps. */
const TAG_LOOK_BYTES = 200;
/** Two frames and a decoder's delay. */
const MOST_ADDED_SAMPLES = 3_500;

/** The next bytes that may begin a frame, the ones at hand included. */
function* findHead(seen: Uint8Array): ByteProgram<Uint8Array> {
  const next = seen.indexOf(0xff, 1);
  if (next !== -1) return Buffer.from(seen.subarray(next));
  yield { find: 0xff };
  return Buffer.from([0xff]);
}

/** What the frame of a table (Xing, Info, VBRI) says the encoder put before and behind the sound; never more than encoders do. */
function tableOf(bytes: Buffer): { readonly addedSamples: number } | undefined {
  const text = bytes.toString('latin1');
  const at = Math.max(text.indexOf('Xing'), text.indexOf('Info'));
  if (at === -1 || at > 36) return text.indexOf('VBRI') === -1 ? undefined : { addedSamples: 0 };
  const gapsAt = at + 141;
  if (bytes.length < gapsAt + 3) return { addedSamples: 0 };
  const gaps = bytes.readUIntBE(gapsAt, 3);
  const addedSamples = (gaps >>> 12) + (gaps & 0xfff);
  return { addedSamples: addedSamples > MOST_ADDED_SAMPLES ? 0 : addedSamples };
}

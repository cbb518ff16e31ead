/** The length of MPEG audio (layers I to III, MPEG 1, 2 and 2.5) and of AAC in ADTS, by counting the frames that passed. */
import type { ByteProgram } from './formats/byte-program.ts';
import { mpegFrameAt } from './formats/mpeg.ts';
import type { LengthReader } from './length-reader.ts';

/** @param first the bytes of a frame's header that the caller has taken already; empty where frames have yet to be looked for. */
export function mpegLength(first: Uint8Array): LengthReader {
  const state = { seconds: 0, waiting: 0 };
  return {
    program: readFrames(Uint8Array.from(first), state),
    // One frame alone is not told from bytes that look like one.
    seconds: () => (state.seconds > 0 ? state.seconds + state.waiting : 0),
  };
}

/** A frame counts once the next one follows it, or the file ends with it. */
function* readFrames(seen: Uint8Array, state: { seconds: number; waiting: number }): ByteProgram {
  let kind = -1;
  const scan = (bytes: Uint8Array): number => {
    let at = 0;
    while (at + HEAD_BYTES <= bytes.length) {
      const frame = mpegFrameAt(bytes, at);
      if (frame === undefined) {
        state.waiting = 0;
        const next = bytes.indexOf(0xff, at + 1);
        at = next === -1 ? bytes.length : next;
        continue;
      }
      const behind = Math.max(HEAD_BYTES, frame.bytes);
      // The first frame of most files holds a table and no sound. Later ones are not looked at: all could be made to look so.
      const lookedAt = at + HEAD_BYTES;
      const looked = kind === -1 ? Math.min(TAG_LOOK_BYTES, behind - HEAD_BYTES) : 0;
      if (lookedAt + looked > bytes.length) break;
      const table = looked > 0 ? tableOf(Buffer.from(bytes.subarray(lookedAt, lookedAt + looked))) : undefined;
      if (frame.kind === kind) state.seconds += state.waiting;
      kind = frame.kind;
      state.waiting = table === undefined ? frame.seconds : 0;
      if (table !== undefined) state.seconds = (-table.addedSamples / frame.samples) * frame.seconds;
      at += behind;
    }
    return at;
  };
  yield { scan, seen };
}

const HEAD_BYTES = 6;
/** Of a table, up to the lengths of the gaps. */
const TAG_LOOK_BYTES = 200;
/** Two frames and a decoder's delay. */
const MOST_ADDED_SAMPLES = 3_500;

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

/** Reads the boxes of an MP4 file (ISO 14496-12 §4.2), and what two readers want of those that describe a track's samples. */
import { viewOf } from './byte-program.ts';

const FIRST_BOXES = new Set(['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'styp']);

/** By its first eight bytes. */
export const looksLikeMp4 = (file: Uint8Array): boolean =>
  FIRST_BOXES.has(Buffer.from(file.subarray(4, 8)).toString('latin1'));

/**
 * `headBytes`: where they are more than there are, that many are needed. `bytes`: of the content; Infinity up to the end, negative
 * where it is no box. Undefined where not even eight bytes are left.
 */
export function boxHeadAt(file: Buffer, at: number) {
  if (at + 8 > file.length) return undefined;
  const type = file.toString('latin1', at + 4, at + 8);
  const size = file.readUInt32BE(at);
  if (size !== 1) return { type, headBytes: 8, bytes: size === 0 ? Infinity : size - 8 };
  return { type, headBytes: 16, bytes: at + 16 > file.length ? 0 : Number(file.readBigUInt64BE(at + 8)) - 16 };
}

export interface Box {
  readonly type: string;
  /** Where it begins, head included. */
  readonly at: number;
  /** Its content; `end` is exclusive and never beyond its parent. */
  readonly start: number;
  readonly end: number;
}

/** The boxes that lie one behind the other between two indices. What is no box ends the walk. */
export function* boxesIn(file: Uint8Array, from: number, to: number): Generator<Box> {
  const parent = Buffer.from(file.buffer, file.byteOffset, Math.min(to, file.length));
  for (let at = from; ;) {
    const head = boxHeadAt(parent, at);
    const start = at + (head?.headBytes ?? 0);
    if (head === undefined || start > parent.length || head.bytes < 0) return;
    const end = Math.min(to, start + head.bytes);
    yield { type: head.type, at, start, end };
    at = end;
  }
}

/** The content of a box; empty where there is none. */
export function contentOf(file: Uint8Array, box: Box | undefined): DataView {
  return box === undefined ? new DataView(new ArrayBuffer(0)) : viewOf(file.subarray(box.start, box.end));
}

/** What a `tfhd` box says; where it says nothing, something else holds. */
export function fragmentHeadOf(box: DataView) {
  if (box.byteLength < 8) return undefined;
  const flags = box.getUint32(0);
  let at = 8;
  const field = (flag: number, bytes: 4 | 8): number | undefined => {
    if ((flags & flag) === 0 || (at += bytes) > box.byteLength) return undefined;
    return bytes === 4 ? box.getUint32(at - 4) : Number(box.getBigUint64(at - 8));
  };
  const base = field(0x1, 8);
  field(0x2, 4);
  return { track: box.getUint32(4), base, sampleUnits: field(0x8, 4), sampleBytes: field(0x10, 4) };
}

/** How a `trun` box with these flags goes on behind its count. Where an entry has no duration, or no size, it lies at a negative index. */
export function runLayoutOf(flags: number) {
  const entry = [0x100, 0x200, 0x400, 0x800].filter((flag) => (flags & flag) !== 0);
  const headBytes = ((flags & 1) + ((flags >> 2) & 1)) * 4;
  const [unitsAt, bytesAt] = [entry.indexOf(0x100) * 4, entry.indexOf(0x200) * 4];
  return { headBytes, entryBytes: entry.length * 4, unitsAt, bytesAt };
}

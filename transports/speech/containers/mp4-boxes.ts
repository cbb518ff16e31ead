/** Walks the boxes of an MP4 file (ISO 14496-12 §4.2). */

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
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = from; at + 8 <= to;) {
    const type = Buffer.from(file.subarray(at + 4, at + 8)).toString('latin1');
    const short = view.getUint32(at);
    const isLong = short === 1 && at + 16 <= to;
    const bytes = isLong ? Number(view.getBigUint64(at + 8)) : short === 0 ? to - at : short;
    const start = at + (isLong ? 16 : 8);
    if (at + bytes < start) return;
    const end = Math.min(to, at + bytes);
    yield { type, at, start, end };
    at = end;
  }
}

/** The content of a box; empty where there is none. */
export function viewOf(file: Uint8Array, box: Box | undefined): DataView {
  if (box === undefined) return new DataView(new ArrayBuffer(0));
  return new DataView(file.buffer, file.byteOffset + box.start, box.end - box.start);
}

/** The frames of one Matroska block (RFC 9559 §10.3): one, or several that are laced together. */
import { endOfNumber, numberAt } from '../../../actors/audio/formats/matroska.ts';
import { xiphLaced } from './xiph-lacing.ts';

/** Frames from `at` on, by the lacing that the block's flags name; none where their lengths do not fit. */
export function matroskaFrames(block: Uint8Array, flags: number, at: number): readonly Uint8Array[] {
  const lacing = (flags >> 1) & 3;
  if (lacing === 0) return [block.subarray(at)];
  const count = (block[at] ?? 0) + 1;
  if (lacing === 1) return xiphLaced(block, at + 1, count) ?? [];
  return (lacing === 2 ? equalFrames(block, at + 1, count) : ebmlLaced(block, at + 1, count)) ?? [];
}

function equalFrames(block: Uint8Array, at: number, count: number): Uint8Array[] {
  const length = Math.floor((block.length - at) / count);
  return Array.from({ length: count }, (_, index) => block.subarray(at + index * length, at + (index + 1) * length));
}

/** The first length, then by how much each differs from the one before, then the frames. */
function ebmlLaced(block: Uint8Array, at: number, count: number): Uint8Array[] | undefined {
  const lengths: number[] = [];
  let next = at;
  let length = 0;
  while (lengths.length < count - 1) {
    // With its marker, a number of all ones is none that is unknown.
    const number = numberAt(block, next, true);
    const end = endOfNumber(block, next);
    if (number === undefined || end > block.length) return undefined;
    const marker = 2 ** (7 * (end - next));
    length = lengths.length === 0 ? number - marker : length + number - marker - (marker / 2 - 1);
    if (length < 0) return undefined;
    lengths.push(length);
    next = end;
  }
  const frames = lengths.map((length) => {
    next += length;
    return block.subarray(next - length, next);
  });
  return next > block.length ? undefined : [...frames, block.subarray(next)];
}

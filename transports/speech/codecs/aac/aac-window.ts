/** How one AAC frame divides time and spectrum (ISO/IEC 14496-3 §4.4.2.6, `ics_info`). */
import type { AacBands } from './aac-bands.ts';
import type { BitReader } from '../bit-reader.ts';

export const AAC_COEFFICIENTS = 1024;
export const SHORT_SEQUENCE = 2;

export interface WindowInfo {
  /** 0 long, 1 long that leads to short, 2 eight short, 3 long that follows short. */
  readonly sequence: number;
  /** 0 sine, 1 Kaiser-Bessel. */
  readonly shape: number;
  readonly bandCount: number;
  /** How many of the windows share scale factors: one long, or groups of the eight short. */
  readonly groups: readonly number[];
  readonly starts: readonly number[];
  readonly shapedBands: number;
}

/** Undefined where the frame is damaged, or uses what the low-complexity profile does not have. */
export function readWindowInfo(bits: BitReader, bands: AacBands): WindowInfo | undefined {
  bits.unsigned(1);
  const sequence = bits.unsigned(2);
  const shape = bits.unsigned(1);
  if (sequence !== SHORT_SEQUENCE) {
    const bandCount = bits.unsigned(6);
    const isPredicted = bits.unsigned(1) === 1;
    if (isPredicted || bandCount >= bands.long.length) return undefined;
    return { sequence, shape, bandCount, groups: [1], starts: bands.long, shapedBands: bands.longShaped };
  }
  const bandCount = bits.unsigned(4);
  const groups = [1];
  for (let window = 1; window < 8; window++) {
    if (bits.unsigned(1) === 1) groups.push((groups.pop() ?? 0) + 1);
    else groups.push(1);
  }
  if (bandCount >= bands.short.length) return undefined;
  return { sequence, shape, bandCount, groups, starts: bands.short, shapedBands: bands.shortShaped };
}

/** Calls `visit` with each band of each window and where its coefficients lie. */
export function eachBand(
  window: WindowInfo,
  visit: (group: number, band: number, from: number, to: number) => void,
): void {
  let first = 0;
  for (const [group, windows] of window.groups.entries()) {
    for (let inGroup = 0; inGroup < windows; inGroup++, first += 128) {
      for (let band = 0; band < window.bandCount; band++) {
        visit(group, band, first + (window.starts[band] ?? 0), first + (window.starts[band + 1] ?? 0));
      }
    }
  }
}

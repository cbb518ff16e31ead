/** Into which bands AAC divides its coefficients (ISO/IEC 14496-3, tables 4.129 to 4.147), by the index of the sampling rate. */

export interface AacBands {
  /** Where each band begins, and the end of the last: of 1024 coefficients, and of the 128 of a short window. */
  readonly long: readonly number[];
  readonly short: readonly number[];
  /** How many bands temporal noise shaping may reach. */
  readonly longShaped: number;
  readonly shortShaped: number;
}

/** Widths as `width x count`. */
const bands = (text: string): readonly number[] => {
  const starts = [0];
  for (const run of text.split(' ')) {
    const [width = 0, count = 1] = run.split('x').map(Number);
    for (let index = 0; index < count; index++) starts.push((starts.at(-1) ?? 0) + width);
  }
  return starts;
};

const long96 = bands('4x14 8x5 12x5 16x2 24 28 36 44 64x11');
const long64 = bands('4x14 8x4 12x3 16x3 20 24x2 28 36 40x18');
const long48 = bands('4x10 8x7 12x4 16x2 20x2 24x2 28x2 32x19 96');
const long32 = bands('4x10 8x7 12x4 16x2 20x2 24x2 28x2 32x22');
const long24 = bands('4x11 8x10 12x4 16x3 20x2 24x2 28x2 32 36x2 40 44 48 52x2 64x5');
const long16 = bands('8x11 12x9 16x4 20x3 24x2 28x2 32 36 40x2 44 48 52 56 60 64x3');
const long8 = bands('12x13 16x7 20x4 24x3 28x2 32 36x2 40 44 48 52 56 60 64 80');
const short96 = bands('4x6 8x3 16 28 36');
const short48 = bands('4x5 8x3 12x3 16x3');
const short24 = bands('4x7 8x3 12x2 16x2 20');
const short16 = bands('4x8 8x2 12x2 16 20x2');
const short8 = bands('4x7 8x4 12 16 20x2');

const longOf = [long96, long96, long64, long48, long48, long32, long24, long24, long16, long16, long16, long8];
const shortOf = [
  ...[short96, short96, short96, short48, short48, short48],
  ...[short24, short24, short16, short16, short16, short8],
];
const LONG_SHAPED = [31, 31, 34, 40, 42, 51, 46, 46, 42, 42, 42, 39];
const SHORT_SHAPED = [9, 9, 10, 14, 14, 14, 14, 14, 14, 14, 14, 14];

/** The bands at one of `ADTS_RATES`; its last has none. */
export const aacBandsOf = (rateIndex: number): AacBands => ({
  long: longOf[rateIndex] ?? long48,
  short: shortOf[rateIndex] ?? short48,
  longShaped: LONG_SHAPED[rateIndex] ?? 0,
  shortShaped: SHORT_SHAPED[rateIndex] ?? 0,
});

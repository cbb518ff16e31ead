/** Telephone samples (ITU-T G.711) to linear ones, -1 to 1. */

/** One A-law byte. */
export function aLawSample(byte: number): number {
  const bits = byte ^ 0x55;
  const exponent = (bits >> 4) & 0x7;
  const mantissa = ((bits & 0xf) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return ((bits & 0x80) === 0 ? -magnitude : magnitude) / 32_768;
}

/** One mu-law byte. */
export function muLawSample(byte: number): number {
  const bits = ~byte & 0xff;
  const magnitude = ((((bits & 0xf) << 3) + 0x84) << ((bits >> 4) & 0x7)) - 0x84;
  return ((bits & 0x80) === 0 ? magnitude : -magnitude) / 32_768;
}

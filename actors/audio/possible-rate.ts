/** Which sampling rates a recording can have. Others make seconds out of thin air, or none out of an hour. */

/** From half of telephony's to the highest that FLAC can state. */
export function isPossibleRate(samplesPerSecond: number): boolean {
  return samplesPerSecond >= 4_000 && samplesPerSecond <= 655_350;
}

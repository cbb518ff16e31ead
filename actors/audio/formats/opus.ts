/** How long an Opus packet sounds, by its first two bytes (RFC 6716 §3.1). */

const MOST_SECONDS = 0.12;

export function opusPacketSeconds(first: number, second: number): number {
  const config = first >>> 3;
  const frameMs =
    config < 12
      ? ([10, 20, 40, 60][config & 3] ?? 0)
      : config < 16
        ? ([10, 20][config & 1] ?? 0)
        : ([2.5, 5, 10, 20][config & 3] ?? 0);
  const code = first & 3;
  const frames = code === 0 ? 1 : code === 3 ? second & 0x3f : 2;
  return Math.min(MOST_SECONDS, (frames * frameMs) / 1_000);
}

/** Xiph's way to join packets: the lengths of all but the last, each as bytes that are added up to the first below 255. */

/** The `count` packets whose lengths begin at `at`; undefined where they do not fit into the bytes. */
export function xiphLaced(bytes: Uint8Array, at: number, count: number): Uint8Array[] | undefined {
  const lengths: number[] = [];
  let next = at;
  while (lengths.length < count - 1) {
    let length = 0;
    let byte = 255;
    while (byte === 255) {
      byte = bytes[next++] ?? 0;
      length += byte;
    }
    lengths.push(length);
  }
  const packets: Uint8Array[] = [];
  for (const length of lengths) {
    packets.push(bytes.subarray(next, next + length));
    next += length;
  }
  if (next > bytes.length) return undefined;
  return [...packets, bytes.subarray(next)];
}

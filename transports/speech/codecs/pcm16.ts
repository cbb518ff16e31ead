/** Signed 16-bit samples, little-endian, and the numbers from -1 to 1 that they stand for. */

export function fromPcm16(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(bytes.length >> 1);
  for (let index = 0; index < samples.length; index++) samples[index] = view.getInt16(index * 2, true) / 32_768;
  return samples;
}

export function toPcm16(samples: Float32Array): Buffer {
  const bytes = Buffer.allocUnsafe(samples.length * 2);
  for (let index = 0; index < samples.length; index++) {
    const value = Math.round((samples[index] ?? 0) * 32_768);
    bytes.writeInt16LE(Math.max(-32_768, Math.min(32_767, value)), index * 2);
  }
  return bytes;
}

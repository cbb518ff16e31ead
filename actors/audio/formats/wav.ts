/** Reads a WAV file's `fmt ` chunk: how samples are stored and how many bytes a second of them takes. */

export interface WavEncoding {
  readonly kind: 'integer' | 'float' | 'a-law' | 'mu-law' | 'other';
  readonly sampleRate: number;
  readonly channels: number;
  readonly bitsPerSample: number;
  /** Bytes of one sample of every channel. */
  readonly frameBytes: number;
  readonly bytesPerSecond: number;
}

const KINDS = new Map<number, WavEncoding['kind']>([
  [1, 'integer'],
  [3, 'float'],
  [6, 'a-law'],
  [7, 'mu-law'],
]);
const EXTENSIBLE = 0xfffe;

/**
 * The encoding that a `fmt ` chunk's body (16 bytes or more) declares, or undefined where it is no possible one.
 * Sizes of uncompressed encodings are worked out from rate, channels and depth, since writers get the redundant fields wrong.
 */
export function wavEncodingOf(body: Uint8Array): WavEncoding | undefined {
  if (body.length < 16) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const tag = view.getUint16(0, true);
  // An extensible format names the real one in the first two bytes of its GUID.
  const kind = KINDS.get(tag === EXTENSIBLE && body.length >= 26 ? view.getUint16(24, true) : tag) ?? 'other';
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const bitsPerSample = view.getUint16(14, true);
  if (channels === 0 || sampleRate === 0) return undefined;
  if (kind === 'other') {
    const bytesPerSecond = view.getUint32(8, true);
    const frameBytes = view.getUint16(12, true);
    return bytesPerSecond === 0 || frameBytes === 0
      ? undefined
      : { kind, sampleRate, channels, bitsPerSample, frameBytes, bytesPerSecond };
  }
  const sampleBytes = Math.ceil(bitsPerSample / 8);
  if (sampleBytes === 0 || sampleBytes > 8) return undefined;
  const frameBytes = channels * sampleBytes;
  return { kind, sampleRate, channels, bitsPerSample, frameBytes, bytesPerSecond: frameBytes * sampleRate };
}

/** Decodes WAV: PCM of 8 to 32 bits, 32 and 64 bit floats, A-law and mu-law, any rate and any number of channels, mixed to one. */
import { wavEncodingOf, type WavEncoding } from '../../../actors/audio/formats/wav.ts';
import { VelloError } from '../../../config/errors.ts';
import type { AudioBlock } from './audio-block.ts';
import { aLawSample, muLawSample } from './companding.ts';

const FRAMES_PER_BLOCK = 32_768;

export function looksLikeWav(file: Uint8Array): boolean {
  const head = Buffer.from(file.buffer, file.byteOffset, Math.min(file.length, 12)).toString('latin1');
  return /^(RIFF|RF64|BW64)/.test(head) && head.endsWith('WAVE');
}

/**
 * The recording in blocks. Where the declared size is missing or larger than the file, the file's end counts.
 * @throws VelloError `AUDIO_NOT_RECOGNISED` for a missing or impossible `fmt ` chunk, no samples, or a compressed encoding.
 */
export function* decodeWav(file: Uint8Array): Generator<AudioBlock> {
  const { encoding, start, bytes } = locate(file);
  const read = sampleReader(encoding);
  const view = new DataView(file.buffer, file.byteOffset + start, bytes);
  const frames = Math.floor(bytes / encoding.frameBytes);
  const sampleBytes = encoding.frameBytes / encoding.channels;
  for (let first = 0; first < frames; first += FRAMES_PER_BLOCK) {
    const samples = new Float32Array(Math.min(FRAMES_PER_BLOCK, frames - first));
    for (let frame = 0; frame < samples.length; frame++) {
      let at = (first + frame) * encoding.frameBytes;
      let sum = 0;
      for (let channel = 0; channel < encoding.channels; channel++, at += sampleBytes) sum += read(view, at);
      const mixed = sum / encoding.channels;
      // Float files may hold NaN or infinities, which would silence everything after them.
      samples[frame] = Math.abs(mixed) <= LOUDEST ? mixed : 0;
    }
    yield { samples, sampleRate: encoding.sampleRate };
  }
}

/** Floats beyond full scale are legal; numbers like 1e30 are damage. */
const LOUDEST = 64;

function locate(file: Uint8Array): { encoding: WavEncoding; start: number; bytes: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let encoding: WavEncoding | undefined;
  let longDataBytes: number | undefined;
  for (let at = 12; at + 8 <= file.length;) {
    const id = view.getUint32(at);
    const claimedBytes = view.getUint32(at + 4, true);
    const start = at + 8;
    if (id === 0x64733634 && start + 16 <= file.length) {
      // RF64 and BW64 keep the size of `data` in `ds64`.
      longDataBytes = Number(view.getBigUint64(start + 8, true));
    } else if (id === 0x666d7420) {
      encoding = wavEncodingOf(file.subarray(start, start + claimedBytes));
      if (encoding === undefined) throw unreadable('its format is not a possible one');
    } else if (id === 0x64617461) {
      if (encoding === undefined) throw unreadable('it does not say how its samples are stored');
      const left = file.length - start;
      const dataBytes = claimedBytes === 0xffffffff ? (longDataBytes ?? left) : claimedBytes;
      return { encoding, start, bytes: dataBytes === 0 ? left : Math.min(dataBytes, left) };
    }
    at = start + claimedBytes + (claimedBytes & 1);
  }
  throw unreadable('it holds no samples');
}

function sampleReader(encoding: WavEncoding): (view: DataView, at: number) => number {
  const { kind, bitsPerSample } = encoding;
  const bytes = Math.ceil(bitsPerSample / 8);
  if (kind === 'float' && bytes === 4) return (view, at) => view.getFloat32(at, true);
  if (kind === 'float' && bytes === 8) return (view, at) => view.getFloat64(at, true);
  if (kind === 'a-law' && bytes === 1) return (view, at) => aLawSample(view.getUint8(at));
  if (kind === 'mu-law' && bytes === 1) return (view, at) => muLawSample(view.getUint8(at));
  // Samples are aligned to the upper bits, so the container's width sets the scale; 8-bit samples alone are unsigned.
  if (kind === 'integer' && bytes === 1) return (view, at) => (view.getUint8(at) - 128) / 128;
  if (kind === 'integer' && bytes === 2) return (view, at) => view.getInt16(at, true) / 2 ** 15;
  if (kind === 'integer' && bytes === 3) {
    return (view, at) => (view.getInt16(at + 1, true) * 256 + view.getUint8(at)) / 2 ** 23;
  }
  if (kind === 'integer' && bytes === 4) return (view, at) => view.getInt32(at, true) / 2 ** 31;
  throw unreadable(`its samples (${kind}, ${bitsPerSample} bits) are of a kind that is not supported`);
}

const unreadable = (why: string): VelloError =>
  new VelloError('AUDIO_NOT_RECOGNISED', `The WAV file cannot be read: ${why}.`);

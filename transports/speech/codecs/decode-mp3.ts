/** Decodes mp3 (MPEG 1, 2 and 2.5, layer III) with mpg123 in WebAssembly, a slice at a time, mixed to one channel. */
import { MPEGDecoder } from 'mpg123-decoder';
import { afterId3Tags } from '../../../actors/audio/formats/id3.ts';
import { VelloError } from '../../../config/errors.ts';
import type { AudioBlock } from './audio-block.ts';

/** Frames of silence at 8 kbit/s unfold a hundredfold: small slices bound what one call can produce. */
const SLICE_BYTES = 8192;

/** Layer III with a possible rate, at the file's start or behind ID3v2 tags. */
export function looksLikeMp3(file: Uint8Array): boolean {
  const at = afterId3Tags(file);
  const [sync = 0, kind = 0, rates = 0] = file.subarray(at, at + 3);
  return sync === 0xff && (kind & 0xe6) === 0xe2 && (kind & 0x18) !== 0x08 && rates >> 4 !== 15 && (rates & 12) !== 12;
}

/**
 * The recording in blocks; damaged frames are left out, as mpg123 does.
 * @throws VelloError `AUDIO_NOT_RECOGNISED` when not one frame can be decoded.
 */
export async function* decodeMp3(file: Uint8Array): AsyncGenerator<AudioBlock> {
  const decoder = new MPEGDecoder();
  let decodedSamples = 0;
  try {
    await decoder.ready;
    for (let at = afterId3Tags(file); at < file.length; at += SLICE_BYTES) {
      const { channelData, samplesDecoded, sampleRate } = decoder.decode(file.subarray(at, at + SLICE_BYTES));
      decodedSamples += samplesDecoded;
      const samples = new Float32Array(samplesDecoded);
      for (const channel of channelData) {
        for (let index = 0; index < samplesDecoded; index++) {
          samples[index] = (samples[index] ?? 0) + (channel[index] ?? 0) / channelData.length;
        }
      }
      if (samplesDecoded > 0) yield { samples, sampleRate };
    }
  } finally {
    decoder.free();
  }
  if (decodedSamples === 0) {
    throw new VelloError('AUDIO_NOT_RECOGNISED', 'The mp3 file cannot be read: it holds no intact frame.');
  }
}

/** Decodes FLAC with libFLAC in WebAssembly, a slice at a time, mixed to one channel. */
import { FLACDecoder, type FLACDecodedAudio } from '@wasm-audio-decoders/flac';
import { VelloError } from '../../config/errors.ts';
import type { AudioBlock } from './audio-block.ts';

/** A frame of silence takes a dozen bytes and unfolds into 65 535 samples: small slices bound what one call can produce. */
const sliceBytes = 8192;

/** FLAC, or FLAC behind an ID3v2 tag. */
export function looksLikeFlac(file: Uint8Array): boolean {
  return startsWith(file, afterTag(file), 'fLaC');
}

/**
 * The recording in blocks. Damaged frames are left out, as the reference decoder does.
 * @throws VelloError `AUDIO_NOT_RECOGNISED` when not one frame can be decoded.
 */
export async function* decodeFlac(file: Uint8Array): AsyncGenerator<AudioBlock> {
  const decoder = new FLACDecoder();
  let decodedSamples = 0;
  try {
    await decoder.ready;
    for (let at = afterTag(file); at < file.length; at += sliceBytes) {
      const block = mixed(await decoder.decode(file.subarray(at, at + sliceBytes)));
      if (block !== undefined) yield block;
      decodedSamples += block?.samples.length ?? 0;
    }
    const last = mixed(await decoder.flush());
    if (last !== undefined) yield last;
    decodedSamples += last?.samples.length ?? 0;
  } catch (error) {
    // The parser throws on some damage; what came before it stands.
    if (error instanceof VelloError || decodedSamples === 0) throw asUnreadable(error);
  } finally {
    decoder.free();
  }
  if (decodedSamples === 0) throw asUnreadable(undefined);
}

function mixed({ channelData, samplesDecoded, sampleRate }: FLACDecodedAudio): AudioBlock | undefined {
  const [first, ...others] = channelData;
  if (samplesDecoded === 0 || first === undefined) return undefined;
  if (others.length === 0) return { samples: first, sampleRate };
  const samples = new Float32Array(samplesDecoded);
  for (const channel of channelData) {
    for (let index = 0; index < samplesDecoded; index++) {
      samples[index] = (samples[index] ?? 0) + (channel[index] ?? 0) / channelData.length;
    }
  }
  return { samples, sampleRate };
}

function asUnreadable(error: unknown): VelloError {
  if (error instanceof VelloError) return error;
  return new VelloError('AUDIO_NOT_RECOGNISED', 'The FLAC file cannot be read: it holds no intact frame.', {
    cause: error,
  });
}

function afterTag(file: Uint8Array): number {
  if (!startsWith(file, 0, 'ID3') || file.length < 10) return 0;
  return 10 + file.subarray(6, 10).reduce((size, byte) => size * 128 + (byte & 0x7f), 0);
}

function startsWith(file: Uint8Array, at: number, text: string): boolean {
  return Buffer.from(file.buffer, file.byteOffset, file.length).toString('latin1', at, at + text.length) === text;
}

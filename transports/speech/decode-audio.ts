/** Turns a recording's bytes into one channel at 16 kHz. Decides what counts as audio; leaves each container to its decoder. */
import { looksLikeMatroska } from '../../actors/audio/formats/matroska.ts';
import { looksLikeMp4 } from '../../actors/audio/formats/mp4.ts';
import { VelloError } from '../../config/errors.ts';
import { adtsPackets, looksLikeAdts } from './containers/adts-packets.ts';
import { decodeFlac, looksLikeFlac } from './codecs/decode-flac.ts';
import { decodeMp3, looksLikeMp3 } from './codecs/decode-mp3.ts';
import { decodePackets } from './codecs/decode-packets.ts';
import { decodeWav, looksLikeWav } from './codecs/decode-wav.ts';
import { RECOGNITION_RATE, type AudioBlock } from './codecs/audio-block.ts';
import { matroskaPackets } from './containers/matroska-packets.ts';
import { mp4Packets } from './containers/mp4-packets.ts';
import { looksLikeOgg, oggPackets } from './containers/ogg-packets.ts';
import { createResampler } from './codecs/resample.ts';

/** A stretch of one channel, 16 000 samples a second; may be empty. */
export interface DecodedBlock {
  readonly samples: Float32Array;
  /** What was sent before these samples and could not be read, where it can be told. */
  readonly lostSeconds: number;
}

const LOWEST_RATE = 1000;
const HIGHEST_RATE = 768_000;
/** OpenAI's lower bound; less holds no word. */
const SHORTEST_SECONDS = 0.1;

/**
 * Decodes FLAC, WAV, mp3, AAC, and what of it, Opus and Vorbis lies in Ogg, WebM or MP4, block by block, so that a small file that unfolds into
 * hours is stopped at the limit. A recording that breaks off is decoded up to where it breaks.
 * @throws VelloError `AUDIO_NOT_RECOGNISED`; `AUDIO_TOO_LONG` once more than `longestSeconds` were decoded; `AUDIO_TOO_SHORT` at
 * the end
 */
export async function* decodeAudio(file: Uint8Array, longestSeconds: number): AsyncGenerator<DecodedBlock> {
  let resampler: ReturnType<typeof createResampler> | undefined;
  let sampleRate = 0;
  let decodedSamples = 0;
  const counted = (samples: Float32Array, lostSeconds = 0): DecodedBlock => {
    decodedSamples += samples.length;
    if (decodedSamples <= longestSeconds * RECOGNITION_RATE) return { samples, lostSeconds };
    throw new VelloError('AUDIO_TOO_LONG', `Recordings may last up to ${longestSeconds} seconds.`);
  };
  for await (const block of blocksOf(file, longestSeconds)) {
    const lostSeconds = (block.lostSamples ?? 0) / block.sampleRate;
    if (block.samples.length > 0 && block.sampleRate !== sampleRate) {
      if (resampler !== undefined) yield counted(resampler.end());
      sampleRate = checkedRate(block.sampleRate);
      resampler = createResampler(sampleRate, RECOGNITION_RATE);
    }
    yield counted(resampler?.push(block.samples) ?? block.samples, lostSeconds);
  }
  if (resampler !== undefined) yield counted(resampler.end());
  if (decodedSamples < SHORTEST_SECONDS * RECOGNITION_RATE) {
    throw new VelloError('AUDIO_TOO_SHORT', `Recordings must last at least ${SHORTEST_SECONDS} seconds.`);
  }
}

function blocksOf(file: Uint8Array, longestSeconds: number): AsyncIterable<AudioBlock> | Iterable<AudioBlock> {
  if (looksLikeFlac(file)) return decodeFlac(file, longestSeconds);
  if (looksLikeWav(file)) return decodeWav(file);
  if (looksLikeOgg(file)) return decodePackets(oggPackets(file));
  if (looksLikeMatroska(file)) return decodePackets(matroskaPackets(file));
  if (looksLikeMp4(file)) return decodePackets(mp4Packets(file));
  if (looksLikeMp3(file)) return decodeMp3(file);
  if (looksLikeAdts(file)) return decodePackets(adtsPackets(file));
  throw new VelloError(
    'AUDIO_NOT_RECOGNISED',
    'The file is not audio in FLAC, WAV, mp3, AAC, Ogg, WebM or MP4 format.',
  );
}

function checkedRate(sampleRate: number): number {
  if (sampleRate >= LOWEST_RATE && sampleRate <= HIGHEST_RATE) return sampleRate;
  throw new VelloError('AUDIO_NOT_RECOGNISED', `A sample rate of ${sampleRate} Hz is no rate for audio.`);
}

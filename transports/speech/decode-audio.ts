/** Turns a recording's bytes into one channel at 16 kHz. Decides what counts as audio; leaves each container to its decoder. */
import { VelloError } from '../../config/errors.ts';
import { decodeFlac, looksLikeFlac } from './decode-flac.ts';
import { decodeMp3, looksLikeMp3 } from './decode-mp3.ts';
import { decodePackets } from './decode-packets.ts';
import { decodeWav, looksLikeWav } from './decode-wav.ts';
import { recognitionRate, type AudioBlock } from './audio-block.ts';
import { looksLikeMatroska, matroskaPackets } from './matroska-packets.ts';
import { looksLikeMp4, mp4Packets } from './mp4-packets.ts';
import { looksLikeOgg, oggPackets } from './ogg-packets.ts';
import { createResampler } from './resample.ts';

export interface DecodedAudio {
  /** One channel, 16 000 samples a second. */
  readonly samples: Float32Array;
  readonly seconds: number;
  /** What was sent besides and could not be read, where it can be told. */
  readonly lostSeconds: number;
}

export interface DecodeLimits {
  readonly longestSeconds: number;
  /** Called between blocks; what it throws ends the work. */
  readonly onBlock?: () => void;
}

const lowestRate = 1000;
const highestRate = 768_000;
/** OpenAI's lower bound; less holds no word. */
const shortestSeconds = 0.1;

/**
 * Decodes FLAC, WAV, mp3, and Opus, Vorbis or FLAC in Ogg, WebM or MP4, block by block, so that a small file that unfolds into hours is stopped at the limit.
 * A recording that breaks off is decoded up to where it breaks.
 * @throws VelloError `AUDIO_NOT_RECOGNISED`, `AUDIO_TOO_SHORT`, `AUDIO_TOO_LONG`.
 */
export async function decodeAudio(file: Uint8Array, limits: DecodeLimits): Promise<DecodedAudio> {
  const pieces: Float32Array[] = [];
  let resampler: ReturnType<typeof createResampler> | undefined;
  let heldSamples = 0;
  let lostSeconds = 0;
  for await (const block of blocksOf(file, limits)) {
    limits.onBlock?.();
    lostSeconds += (block.lostSamples ?? 0) / block.sampleRate;
    if (block.samples.length === 0) continue;
    resampler ??= createResampler(checkedRate(block.sampleRate), recognitionRate);
    const piece = resampler.push(block.samples);
    pieces.push(piece);
    heldSamples += piece.length;
    if (heldSamples > limits.longestSeconds * recognitionRate) {
      throw new VelloError('AUDIO_TOO_LONG', `Recordings may last up to ${limits.longestSeconds} seconds.`);
    }
  }
  if (resampler !== undefined) pieces.push(resampler.end());
  const samples = joined(pieces);
  const seconds = samples.length / recognitionRate;
  if (seconds < shortestSeconds) {
    throw new VelloError('AUDIO_TOO_SHORT', `Recordings must last at least ${shortestSeconds} seconds.`);
  }
  return { samples, seconds, lostSeconds };
}

function blocksOf(
  file: Uint8Array,
  { longestSeconds }: DecodeLimits,
): AsyncIterable<AudioBlock> | Iterable<AudioBlock> {
  if (looksLikeFlac(file)) return decodeFlac(file, longestSeconds);
  if (looksLikeWav(file)) return decodeWav(file);
  if (looksLikeOgg(file)) return decodePackets(oggPackets(file));
  if (looksLikeMatroska(file)) return decodePackets(matroskaPackets(file));
  if (looksLikeMp4(file)) return decodePackets(mp4Packets(file));
  if (looksLikeMp3(file)) return decodeMp3(file);
  if (looksLikeAdts(file)) throw new VelloError('AUDIO_NOT_RECOGNISED', 'The file holds AAC, which cannot be decoded.');
  throw new VelloError('AUDIO_NOT_RECOGNISED', 'The file is not audio in FLAC, WAV, mp3, Ogg, WebM or MP4 format.');
}

const looksLikeAdts = (file: Uint8Array): boolean => file[0] === 0xff && ((file[1] ?? 0) & 0xf6) === 0xf0;

function checkedRate(sampleRate: number): number {
  if (sampleRate >= lowestRate && sampleRate <= highestRate) return sampleRate;
  throw new VelloError('AUDIO_NOT_RECOGNISED', `A sample rate of ${sampleRate} Hz is no rate for audio.`);
}

function joined(pieces: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

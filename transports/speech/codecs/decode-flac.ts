/** Decodes FLAC frame by frame, mixed to one channel. Behind damage it goes on at the next intact frame, and says what it lost. */
import {
  flacFrameHeaderAt,
  flacStreamInfoOf,
  type FlacFrameHeader,
  type FlacStreamInfo,
} from '../../../actors/audio/formats/flac.ts';
import { afterId3Tags } from '../../../actors/audio/formats/id3.ts';
import { VelloError } from '../../../config/errors.ts';
import type { AudioBlock } from './audio-block.ts';
import { decodeFlacFrame } from './decode-flac-frame.ts';

/** What may be decoded in vain: a file of frames that all but fit would take hours otherwise. */
const MOST_VAIN_SAMPLES = 2 ** 26;
/** What looking at a header in vain counts as: a file can be made of nothing else, and chance makes one in 32,768 bytes. */
const VAIN_HEADER_SAMPLES = 64;
/** A frame of eight channels and 32 bits is shorter, but for those nobody makes. */
const LAST_FRAME_WITHIN = 2 ** 20;

/** FLAC, or FLAC behind ID3v2 tags. */
export function looksLikeFlac(file: Uint8Array): boolean {
  return textAt(file, afterId3Tags(file), 4) === 'fLaC';
}

/**
 * The recording in blocks. A frame whose checksum is wrong is left out and counted in the next block's `lostSamples`.
 * @throws VelloError `AUDIO_NOT_RECOGNISED` when not one frame can be decoded; `AUDIO_TOO_LONG` before any decoding when
 * the stream's header and the last frame agree on more than `longestSeconds`.
 */
export function* decodeFlac(file: Uint8Array, longestSeconds: number): Generator<AudioBlock> {
  const stream = streamHeader(file);
  refuseTooLong(file, stream, longestSeconds);
  let first: FlacFrameHeader | undefined;
  let position = 0;
  let vainSamples = 0;
  let intactEnd = stream.end;
  for (let at = nextSync(file, stream.end); at < file.length && vainSamples < MOST_VAIN_SAMPLES;) {
    const header = flacFrameHeaderAt(file, at);
    const isOurs = header !== undefined && (first === undefined || isLike(header, first));
    const frame = isOurs ? decodeFlacFrame(file, at, header, header.bitsPerSample ?? stream.bitsPerSample) : undefined;
    if (header === undefined || frame === undefined) {
      if (isOurs) {
        vainSamples += header.blockSize * header.channels;
        yield { samples: new Float32Array(0), sampleRate: header.sampleRate ?? stream.sampleRate };
      } else vainSamples += VAIN_HEADER_SAMPLES;
      at = nextSync(file, at + 1);
      continue;
    }
    first ??= header;
    const start = header.countsSamples ? header.number : header.number * first.blockSize;
    const lostSamples = at > intactEnd ? Math.max(0, start - position) : 0;
    yield { samples: frame.samples, sampleRate: header.sampleRate ?? stream.sampleRate, lostSamples };
    position = start + frame.samples.length;
    at = intactEnd = frame.end;
    if (file[at] !== 0xff) at = nextSync(file, at);
  }
  if (first === undefined) {
    throw new VelloError('AUDIO_NOT_RECOGNISED', 'The FLAC file cannot be read: it holds no intact frame.');
  }
  // What is left behind the last intact frame was sent as well: about as many samples as so many bytes held before.
  const left = file.length - intactEnd;
  if (left > 0 && !isTrailingTag(file, intactEnd)) {
    const lostSamples = Math.round((left / Math.max(1, intactEnd - stream.end)) * position);
    yield { samples: new Float32Array(0), sampleRate: first.sampleRate ?? stream.sampleRate, lostSamples };
  }
}

interface StreamHeader extends FlacStreamInfo {
  /** Index of the byte after the metadata. */
  readonly end: number;
}

function streamHeader(file: Uint8Array): StreamHeader {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let at = afterId3Tags(file) + 4;
  const info = at + 4;
  if (info + 34 > file.length) {
    throw new VelloError('AUDIO_NOT_RECOGNISED', 'The FLAC file cannot be read: it ends within its header.');
  }
  for (let isLast = false; !isLast && at + 4 <= file.length;) {
    // A damaged length leads into the frames, or past the end; then the search for frames begins after STREAMINFO.
    isLast = (file[at] ?? 0) >= 0x80;
    at += 4 + (view.getUint32(at) & 0xffffff);
  }
  return { ...flacStreamInfoOf(file.subarray(info)), end: at < file.length ? at : info + 34 };
}

function refuseTooLong(file: Uint8Array, stream: StreamHeader, longestSeconds: number): void {
  const { sampleRate, totalSamples } = stream;
  if (totalSamples <= longestSeconds * sampleRate) return;
  // The header alone may lie; the last frame knows where it begins.
  for (let at = file.length - 2; at >= Math.max(stream.end, file.length - LAST_FRAME_WITHIN); at--) {
    const header = file[at] === 0xff ? flacFrameHeaderAt(file, at) : undefined;
    if (header === undefined) continue;
    const start = header.number * (header.countsSamples ? 1 : header.blockSize);
    if (start > longestSeconds * (header.sampleRate ?? sampleRate) && start <= totalSamples) {
      throw new VelloError('AUDIO_TOO_LONG', `Recordings may last up to ${longestSeconds} seconds.`);
    }
  }
}

const isLike = (header: FlacFrameHeader, first: FlacFrameHeader): boolean =>
  header.sampleRate === first.sampleRate &&
  header.channels === first.channels &&
  header.bitsPerSample === first.bitsPerSample &&
  header.countsSamples === first.countsSamples;

function nextSync(file: Uint8Array, from: number): number {
  for (let at = file.indexOf(0xff, from); at >= 0; at = file.indexOf(0xff, at + 1)) {
    if (((file[at + 1] ?? 0) & 0xfe) === 0xf8) return at;
  }
  return file.length;
}

function isTrailingTag(file: Uint8Array, at: number): boolean {
  return textAt(file, at, 3) === 'TAG' || textAt(file, at, 3) === 'ID3' || textAt(file, at, 8) === 'APETAGEX';
}

const textAt = (file: Uint8Array, at: number, length: number): string =>
  Buffer.from(file.buffer, file.byteOffset, file.length).toString('latin1', at, at + length);

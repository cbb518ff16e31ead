/** How long a recording is, by what of it has passed: chooses the container's reader by the first bytes, and keeps no audio. */
import { feedBytes, type ByteProgram } from './formats/byte-program.ts';
import { estimateAudioSeconds, ESTIMATE_SIGNATURE_BYTES } from './audio-estimate.ts';
import { flacLength } from './flac-length.ts';
import { id3BodyBytes } from './formats/id3.ts';
import { looksLikeMatroska } from './formats/matroska.ts';
import { looksLikeMp4 } from './formats/mp4.ts';
import type { LengthReader } from './length-reader.ts';
import { matroskaLength } from './matroska-length.ts';
import { mp4Length } from './mp4-length.ts';
import { mpegLength } from './mpeg-length.ts';
import { oggLength } from './ogg-length.ts';
import { wavLength } from './wav-length.ts';

export interface AudioLength {
  readonly audioSeconds: number;
  /** `header`: by the recording's own frames; `estimate`: by its size, because none were found; `none`: nothing has come of it. */
  readonly source: 'header' | 'estimate' | 'none';
}

export interface AudioLengthReader {
  /** Takes the file's next bytes, in pieces of any size. */
  push(chunk: Uint8Array): void;
  /** The length of what has been pushed. */
  length(): AudioLength;
}

/**
 * Whatever frames and times say, no recording is longer than this makes it: 512 bit/s, below any codec for speech. It is what
 * keeps crafted silence, and a broken header, from costing more than their bytes can hold.
 */
export const LEAST_BYTES_PER_SECOND = 64;

export function createAudioLengthReader(): AudioLengthReader {
  const state: { reader: LengthReader | undefined } = { reader: undefined };
  const feeder = feedBytes(recognise(state));
  let first = Buffer.alloc(0);
  let fileBytes = 0;
  return {
    push: (chunk) => {
      fileBytes += chunk.byteLength;
      if (first.length < ESTIMATE_SIGNATURE_BYTES) {
        first = Buffer.concat([first, chunk.subarray(0, ESTIMATE_SIGNATURE_BYTES - first.length)]);
      }
      feeder.push(chunk);
    },
    length: () => {
      const mostSeconds = fileBytes / LEAST_BYTES_PER_SECOND;
      const read = state.reader?.seconds(fileBytes) ?? 0;
      if (read > 0) return { audioSeconds: rounded(Math.min(read, mostSeconds)), source: 'header' };
      if (fileBytes === 0) return { audioSeconds: 0, source: 'none' };
      const estimated = estimateAudioSeconds(first, fileBytes);
      return { audioSeconds: rounded(Math.min(estimated, mostSeconds)), source: 'estimate' };
    },
  };
}

function* recognise(state: { reader: LengthReader | undefined }): ByteProgram {
  let passed = 0;
  for (;;) {
    const head = Buffer.from(yield { take: 4 });
    passed += 4;
    const name = head.toString('latin1');
    if (name.startsWith('ID3')) {
      const bytes = id3BodyBytes((yield { take: 6 }).subarray(2));
      yield { skip: bytes };
      passed += 6 + bytes;
      continue;
    }
    if (name === 'RIFF' || name === 'RF64' || name === 'BW64') state.reader = wavLength(passed);
    else if (name === 'fLaC') state.reader = flacLength();
    else if (name === 'OggS') state.reader = oggLength();
    else if (looksLikeMatroska(head)) state.reader = matroskaLength();
    else {
      const more = Buffer.concat([head, yield { take: 4 }]);
      state.reader = looksLikeMp4(more) ? mp4Length(more) : mpegLength(more);
    }
    yield* state.reader.program;
    return;
  }
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1_000_000) / 1_000_000;
}

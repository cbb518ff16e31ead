/** Reads how long a FLAC or WAV recording is from its first bytes, while they pass by. Decides nothing about the request; keeps no audio. */
import { wavEncodingOf, type WavEncoding } from './wav-format.ts';

export interface AudioHeader {
  readonly container: 'flac' | 'wav';
  readonly sampleRate: number;
  readonly channels: number;
  /** What the header says. Absent where the writer did not know yet (streamed FLAC or WAV); `end` then works it out where it can. */
  readonly durationSeconds?: number;
}

export interface AudioLength {
  readonly audioSeconds: number;
  /** `none` when the bytes are no FLAC or WAV, end too early, or do not say; `audioSeconds` is 0 then. */
  readonly source: 'header' | 'none';
  /** The bytes that followed do not bear it out: FLAC says how many samples it holds, and nothing else does short of decoding it. */
  readonly isClaim?: true;
}

export interface AudioHeaderReader {
  /** Takes the file's next bytes, in pieces of any size. Returns false once it needs no more; further calls cost nothing. */
  push(chunk: Uint8Array): boolean;
  /** The header, as soon as enough bytes have been seen. */
  header(): AudioHeader | undefined;
  /** The length of a file of `totalBytes`. Call once, at the file's end; a WAV cut short counts what arrived. */
  end(totalBytes: number): AudioLength;
}

type Step =
  'signature' | 'id3' | 'flac-streaminfo' | 'riff-form' | 'chunk-head' | 'chunk-format' | 'skip' | 'done' | 'failed';

/** Metadata before the audio (pictures, cue sheets) is stepped over, but not for ever: the look at a stream stays bounded. */
const searchLimitBytes = 16 * 1024 * 1024;
/** Longest run of bytes any step looks at: a WAVE_FORMAT_EXTENSIBLE `fmt ` chunk. */
const longestStepBytes = 40;
const none: AudioLength = { audioSeconds: 0, source: 'none' };

/** A reader for one file. Sources: RFC 9639 §8.2 (FLAC), Microsoft RIFF/WAVE and EBU Tech 3306 (RF64). */
export function createAudioHeaderReader(): AudioHeaderReader {
  const held = new Uint8Array(longestStepBytes);
  const view = new DataView(held.buffer);
  let step: Step = 'signature';
  let wanted = 4;
  let heldBytes = 0;
  let seenBytes = 0;
  let skipBytes = 0;
  let afterSkip: Step = 'failed';
  let header: AudioHeader | undefined;
  let wav: WavEncoding | undefined;
  let dataStartsAt = 0;
  let dataBytes: number | undefined;

  function expect(next: Step, bytes: number): void {
    step = next;
    wanted = bytes;
    heldBytes = 0;
  }

  function skip(bytes: number, next: Step): void {
    skipBytes = bytes;
    afterSkip = next;
    expect('skip', 0);
    if (seenBytes + bytes > searchLimitBytes) step = 'failed';
  }

  function finishSkip(): void {
    if (afterSkip === 'chunk-head') expect('chunk-head', 8);
    else expect('signature', 4);
  }

  function onSignature(): void {
    const signature = view.getUint32(0);
    if (signature === 0x664c6143) expect('flac-streaminfo', 22);
    else if (signature === 0x52494646 || signature === 0x52463634) expect('riff-form', 8);
    else if (signature >>> 8 === 0x494433) expect('id3', 6);
    else step = 'failed';
  }

  function onStreamInfo(): void {
    const isFirstBlock = ((held[0] ?? 0) & 0x7f) === 0 && (view.getUint32(0) & 0xffffff) === 34;
    const packed = view.getUint32(14);
    const sampleRate = packed >>> 12;
    if (!isFirstBlock || sampleRate === 0) {
      step = 'failed';
      return;
    }
    const totalSamples = (packed & 0xf) * 2 ** 32 + view.getUint32(18);
    header = {
      container: 'flac',
      sampleRate,
      channels: ((packed >>> 9) & 0x7) + 1,
      ...(totalSamples > 0 ? { durationSeconds: totalSamples / sampleRate } : {}),
    };
    step = 'done';
  }

  function onChunkHead(): void {
    const id = view.getUint32(0);
    const sizeBytes = view.getUint32(4, true);
    if (id === 0x666d7420) {
      if (sizeBytes < 16) step = 'failed';
      else {
        expect('chunk-format', Math.min(sizeBytes, longestStepBytes));
        skipBytes = sizeBytes - wanted + (sizeBytes & 1);
      }
    } else if (id === 0x64617461) onDataChunk(sizeBytes);
    else skip(sizeBytes + (sizeBytes & 1), 'chunk-head');
  }

  function onFormat(): void {
    wav = wavEncodingOf(held.subarray(0, wanted));
    if (wav === undefined) step = 'failed';
    else skip(skipBytes, 'chunk-head');
  }

  function onDataChunk(sizeBytes: number): void {
    if (wav === undefined) {
      step = 'failed';
      return;
    }
    dataStartsAt = seenBytes;
    // Writers that cannot seek back leave the size at 0 or at its largest value: the end of the file decides.
    dataBytes = sizeBytes === 0 || sizeBytes >= 0xfffffff0 ? undefined : sizeBytes;
    header = {
      container: 'wav',
      sampleRate: wav.sampleRate,
      channels: wav.channels,
      ...(dataBytes === undefined ? {} : { durationSeconds: dataBytes / wav.bytesPerSecond }),
    };
    step = 'done';
  }

  function advance(): void {
    switch (step) {
      case 'signature':
        return onSignature();
      case 'id3':
        // ID3v2 sizes hold 7 bits a byte.
        return skip(
          ((held[2] ?? 0) & 0x7f) * 2 ** 21 +
            ((held[3] ?? 0) & 0x7f) * 2 ** 14 +
            ((held[4] ?? 0) & 0x7f) * 128 +
            ((held[5] ?? 0) & 0x7f),
          'signature',
        );
      case 'flac-streaminfo':
        return onStreamInfo();
      case 'riff-form':
        if (view.getUint32(4) === 0x57415645) expect('chunk-head', 8);
        else step = 'failed';
        return;
      case 'chunk-head':
        return onChunkHead();
      case 'chunk-format':
        return onFormat();
      case 'skip':
        return finishSkip();
      case 'done':
      case 'failed':
        return;
    }
  }

  function push(chunk: Uint8Array): boolean {
    let at = 0;
    while (step !== 'done' && step !== 'failed') {
      if (step === 'skip') {
        const passed = Math.min(skipBytes, chunk.length - at);
        at += passed;
        seenBytes += passed;
        skipBytes -= passed;
        if (skipBytes > 0) return true;
      } else {
        while (heldBytes < wanted && at < chunk.length) held[heldBytes++] = chunk[at++] ?? 0;
        if (heldBytes < wanted) return true;
        seenBytes += wanted;
      }
      advance();
    }
    return false;
  }

  function end(totalBytes: number): AudioLength {
    if (header === undefined) return none;
    if (header.container === 'flac') {
      const audioSeconds = header.durationSeconds;
      return audioSeconds === undefined ? none : { audioSeconds, source: 'header', isClaim: true };
    }
    if (wav === undefined) return none;
    const arrivedBytes = Math.max(0, totalBytes - dataStartsAt);
    const audioBytes = Math.min(dataBytes ?? arrivedBytes, arrivedBytes);
    const wholeFrames = Math.floor(audioBytes / wav.frameBytes);
    return { audioSeconds: (wholeFrames * wav.frameBytes) / wav.bytesPerSecond, source: 'header' };
  }

  return { push, header: () => header, end };
}

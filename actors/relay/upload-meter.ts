/** What a request's body says about itself while it passes by: the model it asks for and how long its audio is. */
import { LIMITS } from '../../config/limits.ts';
import { estimateAudioSeconds, estimateSignatureBytes } from './audio-estimate.ts';
import { createAudioHeaderReader } from './audio-header.ts';
import { createJsonModelScanner } from './json-model-scanner.ts';
import { createMultipartScanner } from './multipart-scanner.ts';
import { MOST_AUDIO_SECONDS, type AudioSource } from './usage-event.ts';

export interface MeteredAudio {
  readonly audioSeconds: number;
  readonly source: Exclude<AudioSource, 'usage'>;
  /** Stated by the header, and borne out by nothing else. */
  readonly isClaim?: true;
}

export interface UploadMeter {
  push(chunk: Uint8Array): void;
  /** The `model` field, once it has been seen whole. */
  model(): string | undefined;
  /** The length of the part `file`: from its header where that can be true, else estimated from its size. */
  audio(): MeteredAudio;
}

const noAudio: MeteredAudio = { audioSeconds: 0, source: 'none' };
const modelNameBytes = 256;

export function createMultipartMeter(boundary: string): UploadMeter {
  const reader = createAudioHeaderReader();
  let part = '';
  let modelBytes: Buffer[] = [];
  let model: string | undefined;
  let fileBytes = 0;
  let sawFile = false;
  let firstBytes = Buffer.alloc(0);
  let length: MeteredAudio | undefined;

  const measure = (): MeteredAudio => {
    const read = reader.end(fileBytes);
    if (read.source !== 'none' && read.audioSeconds <= MOST_AUDIO_SECONDS) return { ...read, source: read.source };
    const estimated = estimateAudioSeconds(firstBytes, fileBytes);
    return estimated === undefined ? noAudio : { audioSeconds: estimated, source: 'estimate' };
  };

  const scanner = createMultipartScanner(boundary, {
    begin: (name) => {
      part = name;
      modelBytes = [];
      // A second `file` is not measured: providers take the first or refuse.
      if (name === 'file' && sawFile) part = 'file again';
      if (name === 'file') sawFile = true;
    },
    data: (bytes) => {
      if (part === 'file') {
        fileBytes += bytes.byteLength;
        if (firstBytes.length < estimateSignatureBytes) {
          firstBytes = Buffer.concat([firstBytes, bytes.subarray(0, estimateSignatureBytes)]);
        }
        reader.push(bytes);
      } else if (part === 'model' && model === undefined && modelBytes.length < modelNameBytes) {
        modelBytes.push(Buffer.from(bytes.subarray(0, modelNameBytes)));
      }
    },
    end: () => {
      if (part === 'file') length = measure();
      else if (part === 'model') model ??= Buffer.concat(modelBytes).toString('utf8', 0, modelNameBytes).trim();
    },
  });

  return {
    push: (chunk) => scanner.push(chunk),
    model: () => model,
    audio: () => (length ??= sawFile ? measure() : noAudio),
  };
}

export function createJsonMeter(): UploadMeter {
  const scanner = createJsonModelScanner(LIMITS.relay.lookAheadBytes);
  return { push: (chunk) => scanner.push(chunk), model: () => scanner.model(), audio: () => noAudio };
}

/** For requests without a body. */
export const emptyMeter: UploadMeter = { push: () => undefined, model: () => undefined, audio: () => noAudio };

/** Silero's model of voice activity: how probably somebody speaks, 32 ms at a time. Any language; it knows no words. */
import { readFile } from 'node:fs/promises';
import * as ort from '#onnxruntime';
import { RECOGNITION_RATE } from '../codecs/audio-block.ts';

/** Samples of one frame. */
export const VOICE_FRAME_SAMPLES = 512;

export interface VoiceModel {
  /** Hears one recording from its start: frames of `VOICE_FRAME_SAMPLES` in order, of which the last may be shorter. */
  listen(): (frame: Float32Array) => Promise<number>;
}

/** The model is fed the end of the frame before as well. */
const CONTEXT_SAMPLES = 64;
const STATE_SHAPE = [2, 1, 128] as const;

/** Loads the model, which the build takes out of the package `@ricky0123/vad-web`. Takes about 0.1 s and 10 ms a second of sound. */
export async function loadSilero(): Promise<VoiceModel> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const model = await readFile(new URL(import.meta.resolve('#silero')));
  const session = await ort.InferenceSession.create(model);
  const rate = new ort.Tensor('int64', BigInt64Array.of(BigInt(RECOGNITION_RATE)));

  return {
    listen: () => {
      const input = new Float32Array(CONTEXT_SAMPLES + VOICE_FRAME_SAMPLES);
      let state: ort.Tensor = new ort.Tensor('float32', new Float32Array(2 * 128), STATE_SHAPE);
      return async (frame) => {
        input.copyWithin(0, VOICE_FRAME_SAMPLES);
        input.fill(0, CONTEXT_SAMPLES);
        input.set(frame, CONTEXT_SAMPLES);
        const heard = new ort.Tensor('float32', input.slice(), [1, input.length]);
        const { output, stateN } = await session.run({ input: heard, state, sr: rate });
        if (output === undefined || stateN === undefined) throw new Error('The model of voice activity has no output.');
        state = stateN;
        return Number(output.data[0]);
      };
    },
  };
}

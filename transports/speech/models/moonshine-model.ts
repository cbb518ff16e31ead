/** The Moonshine model itself: one channel at 16 kHz in, tokens out, greedily. Knows nothing of files, threads or pauses. */
import { readFile } from 'node:fs/promises';
import * as ort from '#onnxruntime';
import type { ModelFiles } from './fetch-model.ts';
import { RECOGNITION_RATE } from '../codecs/audio-block.ts';

export interface ChosenToken {
  readonly id: number;
  /** Natural logarithm of the probability that the model gave it. */
  readonly logProbability: number;
}

export interface MoonshineModel {
  /** The tokens of at most half a minute of speech, each as soon as it is chosen, without start and end marks. */
  tokens(samples: Float32Array): AsyncGenerator<ChosenToken>;
}

export const START_TOKEN = 1;
const END_TOKEN = 2;
/** The encoder's convolutions need a few thousand samples; shorter sounds are followed by silence. */
const SHORTEST_SAMPLES = RECOGNITION_RATE / 2;

/**
 * Loads encoder and decoder, of any size and language. Takes about 1.5 s and 400 MB of memory for the tiny ones. A model that repeats
 * itself for ever is stopped at so many tokens a second.
 * @throws Error where the files are no Moonshine model
 */
export async function loadMoonshine(files: ModelFiles, mostTokensPerSecond: number): Promise<MoonshineModel> {
  // One thread a recogniser: throughput comes from several recognisers, and threads of threads gain nothing on few cores.
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const encoder = await ort.InferenceSession.create(await readFile(files.encoderPath));
  const decoder = await ort.InferenceSession.create(await readFile(files.decoderPath));
  const pasts = pastShapes(decoder);

  async function* tokens(samples: Float32Array): AsyncGenerator<ChosenToken> {
    const input = padded(samples);
    const encoded = await encoder.run({ input_values: new ort.Tensor('float32', input, [1, input.length]) });
    const state = emptyState(pasts);
    const most = Math.ceil((input.length / RECOGNITION_RATE) * mostTokensPerSecond);
    let previous = START_TOKEN;
    for (let step = 0; step < most; step++) {
      const result = await decoder.run({
        ...state,
        input_ids: new ort.Tensor('int64', BigInt64Array.of(BigInt(previous)), [1, 1]),
        encoder_hidden_states: output(encoded, 'last_hidden_state'),
        use_cache_branch: new ort.Tensor('bool', [step > 0]),
      });
      const chosen = mostLikely(output(result, 'logits').data as Float32Array);
      if (chosen.id === END_TOKEN) return;
      yield chosen;
      previous = chosen.id;
      for (const name of Object.keys(state)) {
        // The encoder's half never changes after the first step; later outputs of it are empty.
        if (step === 0 || name.includes('.decoder.'))
          state[name] = output(result, name.replace('past_key_values', 'present'));
      }
    }
  }

  return { tokens };
}

function padded(samples: Float32Array): Float32Array {
  if (samples.length >= SHORTEST_SAMPLES) return samples;
  const longer = new Float32Array(SHORTEST_SAMPLES);
  longer.set(samples);
  return longer;
}

interface PastShape {
  readonly name: string;
  readonly heads: number;
  readonly headWidth: number;
}

/** What the decoder is given of its own past: as many keys and values as it has layers, in its own shape. */
function pastShapes(decoder: ort.InferenceSession): PastShape[] {
  const pasts: PastShape[] = [];
  for (const input of decoder.inputMetadata) {
    if (!input.isTensor || !input.name.startsWith('past_key_values.')) continue;
    const [, heads, , headWidth] = input.shape;
    if (typeof heads === 'number' && typeof headWidth === 'number') pasts.push({ name: input.name, heads, headWidth });
  }
  if (pasts.length === 0) throw new Error('The decoder is not one of a Moonshine model.');
  return pasts;
}

function emptyState(pasts: readonly PastShape[]): Record<string, ort.Tensor> {
  const empty = ({ name, heads, headWidth }: PastShape): [string, ort.Tensor] => [
    name,
    new ort.Tensor('float32', new Float32Array(0), [0, heads, 1, headWidth]),
  ];
  return Object.fromEntries(pasts.map(empty));
}

function output(outputs: ort.InferenceSession.OnnxValueMapType, name: string): ort.Tensor {
  const found = outputs[name];
  if (found === undefined) throw new Error(`The model has no output ${name}.`);
  return found;
}

function mostLikely(logits: Float32Array): ChosenToken {
  let id = 0;
  let highest = -Infinity;
  for (let index = 0; index < logits.length; index++) {
    const value = logits[index] ?? -Infinity;
    if (value > highest) {
      highest = value;
      id = index;
    }
  }
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - highest);
  return { id, logProbability: -Math.log(sum) };
}

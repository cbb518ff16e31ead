/** Tells text that was recognised from text that the model made up, as it does for languages that it does not know. */
import { deflateSync } from 'node:zlib';

/** What one stretch of text was made of. */
export interface JudgedText {
  readonly text: string;
  readonly tokens: readonly number[];
  /** Mean natural logarithm of the tokens' probabilities. */
  readonly averageLogProbability: number;
}

/**
 * Between the two on synthetic speech (docs/decisions/speech-engine.md): lower lets made-up text pass, higher refuses English in noise.
 */
const LOWEST_SCORE = -0.75;
/** Compressed a sentence at a time, since longer text always shrinks more. */
const STRETCH_CHARACTERS = 120;
/** A sentence hardly shrinks; beyond this it repeats itself, and counts as that much less probable. */
const USUAL_COMPRESSION = 1.15;

/** Whether the texts, weighed by their tokens, are what somebody said. */
export function isIntelligible(texts: readonly JudgedText[]): boolean {
  const tokens = texts.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return texts.reduce((sum, text) => sum + text.tokens.length * scoreOf(text), 0) >= LOWEST_SCORE * tokens;
}

function scoreOf({ text, averageLogProbability }: JudgedText): number {
  const stretches = Math.max(1, Math.round(text.length / STRETCH_CHARACTERS));
  const size = Math.ceil(text.length / stretches);
  let excess = 0;
  for (let at = 0; at < text.length; at += size) {
    excess += Math.max(0, compressionRatio(text.slice(at, at + size)) - USUAL_COMPRESSION);
  }
  return averageLogProbability - excess / stretches;
}

/** How much shorter a text gets by deflating it: text that repeats itself shrinks most. */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text);
  return bytes.length / deflateSync(bytes).length;
}

/** Divides the text of a piece of speech into segments short enough for subtitles, at its pauses. */
import type { Segment } from '../../actors/inference/speech-engine.ts';
import type { Span } from './cut-speech.ts';

/** What one token added to the text. */
export interface TimelessToken {
  readonly id: number;
  readonly text: string;
  readonly logProbability: number;
}

const LONGEST_SEGMENT_SECONDS = 8;
/** A cut this many characters away is as good if a sentence, or a phrase, ends there. */
const SENTENCE_WORTH = 16;
const PHRASE_WORTH = 8;

/**
 * Segments of at most 8 s, in order; joined by blanks they are the piece's text. They begin and end where the speech does: the
 * model tells no times of words, so that which words lie between two pauses follows from their share of the letters.
 */
export function subtitleSegments(spans: readonly Span[], tokens: readonly TimelessToken[]): Segment[] {
  const text = tokens.map((token) => token.text).join('');
  const groups = grouped(spans.flatMap(halved));
  const spoken = groups.map((group) => group.reduce((sum, span) => sum + lengthOf(span), 0));
  const total = spoken.reduce((sum, seconds) => sum + seconds, 0);
  const segments: Segment[] = [];
  let startSeconds: number | undefined;
  let passed = 0;
  let from = 0;
  for (const [index, group] of groups.entries()) {
    passed += spoken[index] ?? 0;
    startSeconds ??= group[0]?.startSeconds ?? 0;
    const isLast = index === groups.length - 1;
    const to = isLast ? text.length : cutNear(text, from, (passed / total) * text.length);
    // No word fell between these two pauses: the next segment begins here.
    if (to === from) continue;
    segments.push({
      startSeconds,
      endSeconds: group.at(-1)?.endSeconds ?? startSeconds,
      ...contentOf(tokens, from, to),
    });
    startSeconds = undefined;
    from = to;
  }
  return segments;
}

const lengthOf = ({ startSeconds, endSeconds }: Span): number => endSeconds - startSeconds;

/** Speech without a pause is cut into equal parts. */
function halved(span: Span): Span[] {
  const count = Math.ceil(lengthOf(span) / LONGEST_SEGMENT_SECONDS);
  const seconds = lengthOf(span) / count;
  return Array.from({ length: count }, (_, index) => ({
    startSeconds: span.startSeconds + index * seconds,
    endSeconds: index === count - 1 ? span.endSeconds : span.startSeconds + (index + 1) * seconds,
  }));
}

/** As many spans together as a segment may last. */
function grouped(spans: readonly Span[]): Span[][] {
  const groups: Span[][] = [];
  for (const span of spans) {
    const group = groups.at(-1);
    const startSeconds = group?.[0]?.startSeconds ?? -Infinity;
    if (group !== undefined && span.endSeconds - startSeconds <= LONGEST_SEGMENT_SECONDS) group.push(span);
    else groups.push([span]);
  }
  return groups;
}

/** The end of a word near `target`, rather that of a sentence; `from` where none lies behind it. */
function cutNear(text: string, from: number, target: number): number {
  let best = from;
  let least = target - from;
  for (let at = text.indexOf(' ', from + 1); at >= 0; at = text.indexOf(' ', at + 1)) {
    const worth = /[.!?…。]/.test(text[at - 1] ?? '')
      ? SENTENCE_WORTH
      : /[,;:]/.test(text[at - 1] ?? '')
        ? PHRASE_WORTH
        : 0;
    const distance = Math.abs(at - target) - worth;
    if (distance < least) [best, least] = [at, distance];
  }
  return best;
}

function contentOf(tokens: readonly TimelessToken[], from: number, to: number): Omit<Segment, keyof Span> {
  const own: TimelessToken[] = [];
  let at = 0;
  let text = '';
  for (const token of tokens) {
    const end = at + token.text.length;
    text += token.text.slice(Math.max(0, from - at), Math.max(0, to - at));
    if ((at >= from || from === 0) && at < to) own.push(token);
    at = end;
  }
  const sum = own.reduce((total, { logProbability }) => total + logProbability, 0);
  return {
    text: text.trim(),
    tokens: own.map(({ id }) => id),
    averageLogProbability: sum / Math.max(1, own.length),
  };
}

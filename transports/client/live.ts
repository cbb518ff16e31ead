/** Live transcription as an application sees it: a microphone goes in, what is said comes out while it is being said. */
import { randomUUID } from 'node:crypto';
import type { PCM_RATES } from '../../actors/live/live-protocol.ts';
import { localError } from './client-error.ts';
import { LiveConversation, type LiveConversationDeps } from './live-conversation.ts';
import type { LiveOutgoing } from './live-outbox.ts';
import { createLiveTextsQueue, type LiveText } from './live-texts-queue.ts';

/** One channel: signed 16-bit samples, little-endian, cut anywhere; or Opus, one packet in each piece. */
export type LiveAudio =
  { readonly format?: 'pcm16'; readonly rate: (typeof PCM_RATES)[number] } | { readonly format: 'opus' };

export type LiveOptions = LiveAudio & {
  /** As the gateway's configuration names it. */
  readonly model: string;
  /** ISO 639-1. */
  readonly language?: string;
  /** Groups the jobs of one recording session; a UUID, made where absent. */
  readonly sessionId?: string;
  readonly signal?: AbortSignal;
};

/**
 * What is said, in order of its becoming known. Iterable once; it ends when the audio has ended and all of it has its text. Leaving the loop
 * early hangs up. Iterating throws `ClientError`: the server's code, `NETWORK`, `TIMEOUT`, `REPLACED` or `CLOSED`; and what the audio throws.
 */
export interface LiveTranscription extends AsyncIterable<LiveText> {
  /** `X-Session-Id` of the call; `job_created` carries it. */
  readonly sessionId: string;
  /** What was said up to here is one item. Without it the provider finds the pauses, where its model can. */
  commit(): void;
  /** The whole transcript, for who does not want the pieces. */
  text(): Promise<string>;
}

export interface LiveDeps extends LiveConversationDeps {
  readonly signal: AbortSignal;
}

export function transcribeLive(
  deps: LiveDeps,
  audio: AsyncIterable<Uint8Array>,
  options: LiveOptions,
): LiveTranscription {
  const sessionId = options.sessionId ?? randomUUID();
  let conversation: LiveConversation | undefined;
  const iterate = async function* () {
    const leave = new AbortController();
    const asked = AbortSignal.any([deps.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    const texts = createLiveTextsQueue();
    const wish = { query: queryOf(options), sessionId, signal: AbortSignal.any([asked, leave.signal]) };
    conversation = new LiveConversation(deps, wish, texts);
    conversation.hold(outgoing(audio, options)).then(texts.end, texts.fail);
    try {
      yield* texts;
    } catch (error) {
      throw asked.aborted ? localError('CLOSED', 'The transcription was cancelled.', error) : error;
    } finally {
      leave.abort();
    }
  };
  return {
    sessionId,
    commit: () => conversation?.say({ type: 'commit' }),
    [Symbol.asyncIterator]: iterate,
    text: async () => {
      const finals: LiveText[] = [];
      for await (const text of iterate()) if (text.type === 'final' && text.text !== '') finals.push(text);
      const inOrder = finals.sort((one, other) => one.item - other.item);
      return inOrder.map(({ text }) => text.trim()).join(' ');
    },
  };
}

function queryOf(options: LiveOptions): URLSearchParams {
  const { model, language, format = 'pcm16' } = options;
  const query = new URLSearchParams({ format, model });
  if ('rate' in options) query.set('rate', String(options.rate));
  if (language !== undefined) query.set('language', language);
  return query;
}

/** Half of the largest frame that the gateway takes. */
const FRAME_BYTES = 32_768;

/** The audio as frames. PCM that was cut in the middle of a sample is put together again. */
async function* outgoing(audio: AsyncIterable<Uint8Array>, { format }: LiveOptions): AsyncGenerator<LiveOutgoing> {
  let odd = Buffer.alloc(0);
  for await (const piece of audio) {
    if (format === 'opus') {
      if (piece.length > 0) yield piece;
      continue;
    }
    const bytes = odd.length > 0 ? Buffer.concat([odd, piece]) : piece;
    const whole = bytes.length - (bytes.length % 2);
    odd = Buffer.from(bytes.subarray(whole));
    for (let at = 0; at < whole; at += FRAME_BYTES) yield bytes.subarray(at, Math.min(whole, at + FRAME_BYTES));
  }
  yield { type: 'end' };
}

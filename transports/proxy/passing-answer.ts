/** A provider's answer while it passes: what the client gets of it, and what the event will say of it. */
import type { UpstreamHeaders } from '../../actors/ports/upstream.ts';
import { createAnswerReader, type AnswerSummary } from '../../actors/relay/answer-reader.ts';
import type { UsageEventType } from '../../actors/relay/usage-event.ts';
import type { AnswerHead } from './client-answer.ts';
import { headersToClient, headerValue, UNBUFFERED } from './header-policy.ts';
import { createKeyScrubber } from './key-scrubber.ts';

export interface PassingAnswer {
  /** As the client gets it, without the headers of our own. */
  readonly head: AnswerHead;
  /** Takes the next bytes for the event alone: nobody is there to get them. */
  read(chunk: Buffer): void;
  /** Takes the next bytes and returns what the client gets for them. */
  pass(chunk: Buffer): Buffer;
  /** The answer is over: returns what was held back. */
  flush(): Buffer;
  summary(): AnswerSummary;
  /** An event stream that is between two events: another one may be added here. */
  betweenEvents(): boolean;
}

/** @param secret the provider's key, which must not come back in its answer. */
export function createPassingAnswer(
  type: UsageEventType,
  status: number,
  headers: UpstreamHeaders,
  secret: string | undefined,
): PassingAnswer {
  const reader = createAnswerReader(type, headerValue(headers, 'content-type') ?? '');
  const scrubber = createKeyScrubber(secret);
  const length = headerValue(headers, 'content-length');
  return {
    head: {
      status,
      headers: { ...headersToClient(headers, secret), ...UNBUFFERED },
      contentLength: length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined,
    },
    read: (chunk) => reader.push(chunk),
    pass: (chunk) => {
      reader.push(chunk);
      return scrubber.push(chunk);
    },
    flush: () => scrubber.flush(),
    summary: () => reader.summary(),
    betweenEvents: () => reader.betweenEvents(),
  };
}

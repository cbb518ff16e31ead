/** A provider's answer while it passes: what the client gets of it, and what the event will say of it. */
import type { UpstreamHeaders } from '../../actors/relay/upstream.ts';
import { createAnswerReader, type AnswerKind, type AnswerSummary } from '../../actors/metering/answer-reader.ts';
import { createUsageFilter } from '../../actors/metering/usage-filter.ts';
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

export interface PassingAnswerParts {
  readonly kind: AnswerKind;
  readonly status: number;
  readonly headers: UpstreamHeaders;
  /** The provider's key, which must not come back in its answer. */
  readonly secret: string | undefined;
  /** The provider was asked for its account in the client's place: a streamed one is not for the client. */
  readonly withholdsUsage: boolean;
}

export function createPassingAnswer(parts: PassingAnswerParts): PassingAnswer {
  const { kind, status, headers, secret } = parts;
  const contentType = headerValue(headers, 'content-type') ?? '';
  const reader = createAnswerReader(kind, contentType);
  const filter =
    parts.withholdsUsage && /^(text\/event-stream|$)/i.test(contentType.trim()) ? createUsageFilter() : undefined;
  const scrubber = createKeyScrubber(secret);
  const length = headerValue(headers, 'content-length');
  return {
    head: {
      status,
      headers: { ...headersToClient(headers, secret), ...UNBUFFERED },
      // What will be withheld is not known yet.
      contentLength:
        filter === undefined && length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined,
    },
    read: (chunk) => reader.push(chunk),
    pass: (chunk) => {
      reader.push(chunk);
      const scrubbed = scrubber.push(chunk);
      return filter === undefined ? scrubbed : filter.push(scrubbed);
    },
    flush: () => {
      const rest = scrubber.flush();
      return filter === undefined ? rest : Buffer.concat([filter.push(rest), filter.flush()]);
    },
    summary: () => reader.summary(),
    betweenEvents: () => reader.betweenEvents(),
  };
}

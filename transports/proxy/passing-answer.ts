/** A provider's answer while it passes: what the client gets of it, and what the event will say of it. */
import type { UpstreamHeaders } from '../../actors/relay/upstream.ts';
import {
  createAnswerReader,
  type AnswerKind,
  type AnswerReader,
  type AnswerSummary,
} from '../../actors/metering/answer-reader.ts';
import { UsageFilter } from '../../actors/metering/usage-filter.ts';
import type { ProviderKey } from '../../actors/relay/provider-key.ts';
import type { AnswerHead } from './client-answer.ts';
import { addHeadersToClient, headerValue } from './header-policy.ts';
import { KeyScrubber } from './key-scrubber.ts';

export interface PassingAnswerParts {
  readonly kind: AnswerKind;
  readonly status: number;
  readonly headers: UpstreamHeaders;
  /** What the client gets: those of our own, to which the provider's are added. */
  readonly toClient: Record<string, string>;
  /** The provider's key, which must not come back in its answer. */
  readonly key: ProviderKey | undefined;
  /** The provider was asked for its account in the client's place: a streamed one is not for the client. */
  readonly withholdsUsage: boolean;
}

export class PassingAnswer {
  /** As the client gets it. */
  readonly head: AnswerHead;
  readonly #reader: AnswerReader;
  readonly #scrubber: KeyScrubber;
  readonly #filter: UsageFilter | undefined;

  constructor({ kind, status, headers, toClient, key, withholdsUsage }: PassingAnswerParts) {
    const contentType = headerValue(headers, 'content-type') ?? '';
    this.#reader = createAnswerReader(kind, contentType);
    this.#scrubber = new KeyScrubber(key);
    this.#filter = withholdsUsage && EVENT_STREAM.test(contentType.trim()) ? new UsageFilter() : undefined;
    const length = headerValue(headers, 'content-length');
    // What will be withheld is not known yet.
    const isAnnounced = this.#filter === undefined && length !== undefined && /^\d{1,15}$/.test(length);
    addHeadersToClient(toClient, headers, key?.reveal());
    this.head = { status, headers: toClient, contentLength: isAnnounced ? Number(length) : undefined };
  }

  /** Whether it came to its end, as far as a stream says so. */
  get finished(): boolean {
    return this.#reader.finished;
  }

  /** Takes the next bytes for the event alone: nobody is there to get them. */
  read(chunk: Buffer): void {
    this.#scrub(chunk);
  }

  /** Takes the next bytes and returns what the client gets for them. */
  pass(chunk: Buffer): Buffer {
    const scrubbed = this.#scrub(chunk);
    return this.#filter === undefined ? scrubbed : this.#filter.push(scrubbed);
  }

  /** The answer is over: returns what was held back. */
  flush(): Buffer {
    const rest = this.#readRest();
    return this.#filter === undefined ? rest : Buffer.concat([this.#filter.push(rest), this.#filter.flush()]);
  }

  summary(): AnswerSummary {
    this.#readRest();
    return this.#reader.summary();
  }

  /** An event stream that is between two events: another one may be added here. */
  betweenEvents(): boolean {
    return this.#reader.betweenEvents();
  }

  /** The reader gets what the client gets: a key must not come back in an event either. */
  #scrub(chunk: Buffer): Buffer {
    const scrubbed = this.#scrubber.push(chunk);
    this.#reader.push(scrubbed);
    return scrubbed;
  }

  #readRest(): Buffer {
    const rest = this.#scrubber.flush();
    this.#reader.push(rest);
    return rest;
  }
}

const EVENT_STREAM = /^(text\/event-stream|$)/i;

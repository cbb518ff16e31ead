/** One call to a provider's live recognition, as the transcription that it serves sees it. What is spoken over it is the transport's affair. */
import type { VelloError } from '../../config/errors.ts';
import type { UsageEvent } from '../events/usage-event.ts';

export interface SpeechLine {
  /** Hands over one frame, which is read before this returns. False means to wait for `wanted`. Only after the first `wanted`. */
  send(frame: Uint8Array): boolean;
  /** What was said up to here is one item. */
  commit(): void;
  /** No more audio follows: `done` comes when all that was sent has its text. */
  end(): void;
  /** Hangs up at once. Nothing is reported any more. */
  close(): void;
}

/** Where in the audio something was said, in milliseconds, as far as the provider tells. */
export interface SpokenAt {
  readonly startMs?: number;
  readonly endMs?: number;
}

export interface SpeechLineListener {
  /** Audio is taken (again): once the call is made, and after a `send` that returned false. */
  wanted(): void;
  /** More of what an item says. Items are named by the provider. */
  partial(item: string, delta: string): void;
  final(item: string, text: string, at: SpokenAt): void;
  /** An item has no text. */
  failed(item: string, error: VelloError): void;
  /** An item was begun, and has its place before those that begin later. */
  begun(item: string): void;
  /** The provider's own account, added up. */
  counted(usage: NonNullable<UsageEvent['usage']>): void;
  done(): void;
  /** The call has ended before its time. */
  broken(error: VelloError): void;
  /** The call has ended because audio of the desktop's cannot be decoded. */
  unreadable(): void;
  /** One of the above, or what it leads to, threw. Must not throw. */
  fault(error: unknown): void;
}

export type OpenSpeechLine = (listener: SpeechLineListener) => SpeechLine;

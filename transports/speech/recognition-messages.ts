/** What a recogniser and its thread say to each other. */
import type { Recognition } from '../../actors/inference/speech-engine.ts';
import type { ErrorCode } from '../../config/errors.ts';
import type { LanguageModel } from './models/language-models.ts';

/** Handed to the thread when it starts. */
export interface RecognitionThreadData {
  readonly models: readonly LanguageModel[];
}

export type MessageToThread = RecogniseMessage | { readonly type: 'go'; readonly id: number };

export interface RecogniseMessage {
  readonly type: 'recognise';
  /** Of this recording, in all messages about it. */
  readonly id: number;
  readonly file: Uint8Array;
  /** Of one of the models. */
  readonly language: string;
  readonly isOneStretch: boolean;
  /** One Int32, shared: not 0 means stop. A message would wait until the thread is idle again. */
  readonly abort: SharedArrayBuffer;
}

export type ThreadMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'alive' }
  | { readonly type: 'delta'; readonly id: number; readonly delta: string }
  /** Waits for `go`. */
  | { readonly type: 'border'; readonly id: number; readonly heardSeconds: number }
  | { readonly type: 'done'; readonly id: number; readonly recognition: Recognition }
  | { readonly type: 'aborted'; readonly id: number }
  | { readonly type: 'refused'; readonly id: number; readonly code: ErrorCode; readonly detail: string };

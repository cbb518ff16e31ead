/** What a recogniser and its thread say to each other. */
import type { Recognition } from '../../actors/ports/speech-engine.ts';
import type { ErrorCode } from '../../config/errors.ts';

/** Handed to the thread when it starts. */
export interface RecognitionThreadData {
  readonly encoderPath: string;
  readonly decoderPath: string;
}

export interface RecogniseMessage {
  readonly file: Uint8Array;
  /** One Int32, shared: not 0 means stop. A message would wait until the thread is idle again. */
  readonly abort: SharedArrayBuffer;
}

export type ThreadMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'delta'; readonly delta: string }
  | { readonly kind: 'done'; readonly recognition: Recognition }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly detail: string };

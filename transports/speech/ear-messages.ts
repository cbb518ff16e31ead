/** What the ear and its thread say to each other. Each message but the first is about one call, by its id. */
import type { HearingOptions, Stretch } from '../../actors/inference/ear.ts';

export type MessageToEar =
  | { readonly type: 'listen'; readonly id: number; readonly options: HearingOptions }
  | { readonly type: 'hear'; readonly id: number; readonly frame: Uint8Array }
  | { readonly type: 'cut'; readonly id: number }
  | { readonly type: 'glimpse'; readonly id: number }
  | { readonly type: 'leave'; readonly id: number };

export type EarThreadMessage =
  /** The thread has loaded its model. */
  | { readonly type: 'ready' }
  | { readonly type: 'began'; readonly id: number; readonly startMs: number }
  | { readonly type: 'stretch'; readonly id: number; readonly stretch: Stretch }
  | { readonly type: 'heard'; readonly id: number; readonly openSeconds: number }
  | { readonly type: 'cut'; readonly id: number }
  | { readonly type: 'glimpsed'; readonly id: number; readonly samples: Float32Array | undefined }
  | { readonly type: 'unreadable'; readonly id: number };

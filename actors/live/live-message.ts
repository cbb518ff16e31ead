/** What the actor of a live transcription hears: of time, of the gateway, and of the call that it keeps alive. */

export type LiveMessage =
  | { readonly type: 'tick' }
  /** What let its desktop in was revoked. */
  | { readonly type: 'revoked' }
  /** The gateway stops: it is to come to an end. */
  | { readonly type: 'wind_up' }
  /** There is no more time. */
  | { readonly type: 'shut_down' }
  /** Something threw where no actor stood. */
  | { readonly type: 'fault'; readonly error: unknown }
  /** Nobody needs it any more. */
  | { readonly type: 'over' };

/** Which sequence numbers each device has used: state of constant size per device, shared by all processes (contract §3.7). */

export interface SignedRequestMark {
  readonly deviceId: string;
  readonly sequence: number;
  /** Unix seconds, as signed. */
  readonly timestamp: number;
  /** Tells two requests with one sequence apart: a short hash of the signed text. */
  readonly digest: string;
}

/**
 * - `accepted`: never used before, now used.
 * - `replayed`: this very request was seen, or it is older than the window reaches and not newly signed.
 * - `second_writer`: the number was used by another request, or is left behind by a request that was signed later: two machines hold one key.
 * - `reauthenticate`: a second writer was seen before; refused until the device answers a new challenge.
 * - `ahead`: further above the highest number than any device gets; nothing is remembered of it.
 * - `unknown`: nothing is known of this device; call again with the durable high mark.
 */
export type SequenceVerdict = 'accepted' | 'replayed' | 'second_writer' | 'reauthenticate' | 'ahead' | 'unknown';

/** A number may be this far above the highest that was used: a device that skipped some, and not one that would use them up for ever. */
export const MOST_SKIPPED = 1_000_000;

export interface SequenceWindows {
  /** `durableHigh`: the highest number that the database knows, given when a call without it said `unknown`. */
  mark(request: SignedRequestMark, durableHigh?: number): Promise<SequenceVerdict>;
  /** After a challenge was answered: ends `reauthenticate`, and returns the next number to use, above all that were used or known. */
  resume(deviceId: string, durableHigh: number): Promise<number>;
  forget(deviceId: string): Promise<void>;
}

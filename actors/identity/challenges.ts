/** Where challenges wait for their answer. */

export interface Challenge {
  /** Both base64url, as they travel and as they are signed. */
  readonly publicKey: string;
  readonly nonce: string;
}

export interface Challenges {
  /** Keeps a challenge for `lifetimeMs`. */
  put(challengeId: string, challenge: Challenge, lifetimeMs: number): Promise<void>;
  /** Removes and returns it in one step, so that of two takers one gets it; undefined when it is unknown, taken or expired. */
  take(challengeId: string): Promise<Challenge | undefined>;
}

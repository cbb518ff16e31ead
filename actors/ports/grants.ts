/**
 * Grants: which access tokens open the gateway. The api publishes them, gateways follow. A grant names its token by
 * hash only, so that neither the store nor a gateway's memory holds anything that could be presented.
 */

export interface Grant {
  /** SHA-256 of the access token, base64url without padding. */
  readonly tokenHash: string;
  readonly userId: string;
  readonly deviceId: string;
  /** Family of the refresh tokens that the access token descends from. */
  readonly familyId: string;
  readonly expiresAtMs: number;
  /** The user's credits are used up: the holder is known but gets 402. */
  readonly suspended?: boolean;
  /** What the user's balance allows to be under way at each gateway; absent where it sets no bound. */
  readonly requestsAtOnce?: number;
}

export type RevocationScope =
  { readonly familyId: string } | { readonly deviceId: string } | { readonly userId: string };

export type GrantOperation =
  | { readonly op: 'issue'; readonly grant: Grant }
  | { readonly op: 'revoke'; readonly scope: RevocationScope }
  | { readonly op: 'suspend'; readonly userId: string }
  | { readonly op: 'reinstate'; readonly userId: string }
  | { readonly op: 'limit'; readonly userId: string; readonly requestsAtOnce: number | undefined };

/** Each call is durable, and visible to every gateway within a second, once it resolves. All reject when the store is away. */
export interface GrantPublisher {
  /** Opens the gateway to one token until it expires. A user under suspension stays suspended. */
  issue(grant: Grant): Promise<void>;
  /** Closes the gateway to every token of a family, device or user. */
  revoke(scope: RevocationScope): Promise<void>;
  /** Holds until `reinstate`, for the user's later tokens too. */
  suspend(userId: string): Promise<void>;
  reinstate(userId: string): Promise<void>;
  /** Bounds what the user may have under way at each gateway, with any of his tokens; `undefined` lifts that bound. */
  limit(userId: string, requestsAtOnce: number | undefined): Promise<void>;
}

export interface GrantFollower {
  /** Takes one operation, in the order of publication. The same one may come again after a reconnection. */
  apply(operation: GrantOperation): void;
  /** Everything published up to now has been applied. Called at the start and after each reconnection. */
  caughtUp(): void;
  /** The store cannot be reached; what is known stays usable. */
  lost(error: Error): void;
}

export interface GrantSource {
  /** Applies the whole history, then what follows, until `signal` aborts; reconnects by itself. Resolves once it has stopped. */
  follow(follower: GrantFollower, signal: AbortSignal): Promise<void>;
  /** Asks the store about one token; `undefined` when it is unknown, revoked or expired. Rejects when the store is away. */
  find(tokenHash: string): Promise<Grant | undefined>;
}

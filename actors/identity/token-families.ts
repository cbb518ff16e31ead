/** The store of refresh tokens: families of which at any time one token is unused. Tokens are known by their hashes only. */

export interface NewFamily {
  readonly familyId: string;
  readonly sessionId: string;
  readonly tokenId: string;
  /** SHA-256 of the refresh token. */
  readonly tokenHash: Buffer;
  readonly tokenExpiresAtMs: number;
  /** No rotation carries the family past this. */
  readonly familyExpiresAtMs: number;
}

/** One presented refresh token, as the store knows it while nobody else can touch its family. */
export interface PresentedToken {
  readonly tokenId: string;
  readonly familyId: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly expiresAtMs: number;
  readonly familyExpiresAtMs: number;
  readonly familyRevoked: boolean;
  /** Undefined while the token is unused. */
  readonly usedAtMs: number | undefined;
  /** Whether the token that followed it was itself used. */
  readonly successorUsed: boolean;
  readonly deviceRevoked: boolean;
  readonly mustReauthenticate: boolean;
  readonly hardwareBlocked: boolean;
  /** The user has nothing left; no reason to refuse a refresh, but the gateway must know. */
  readonly creditsSuspended: boolean;
  /** Credits that are left. */
  readonly balance: number;
}

export type RotationDecision =
  /** First use, at `atMs`: store the successor. */
  | {
      readonly kind: 'rotate';
      readonly atMs: number;
      readonly successor: { readonly tokenId: string; readonly hash: Buffer; readonly expiresAtMs: number };
    }
  /** Its answer was lost: give the same successor again. */
  | { readonly kind: 'repeat' }
  /** Somebody else has it: end the family. */
  | { readonly kind: 'revoke' }
  | {
      readonly kind: 'refuse';
      readonly code: 'AUTH_REFRESH_INVALID' | 'AUTH_DEVICE_REVOKED' | 'AUTH_REAUTHENTICATE' | 'DEVICE_BLOCKED';
    };

export type EndReason =
  'logout' | 'refresh_reuse' | 'device_revoked' | 'superseded' | 'clone_suspected' | 'account_deleted' | 'blocked';

export interface TokenFamilies {
  /** Holds the family of a token (by its hash) while `decide` decides, and does what it says. Undefined when no token has that hash. */
  rotate(
    tokenHash: Buffer,
    decide: (token: PresentedToken) => RotationDecision,
  ): Promise<{ readonly token: PresentedToken; readonly decision: RotationDecision } | undefined>;
  /** Whether the family exists and was not revoked; `superseded` when a later sign-in of its device took its place. */
  standing(familyId: string): Promise<'open' | 'superseded' | 'ended'>;
  /** Ends one family. Returns false when it had ended before. */
  end(family: { readonly familyId: string; readonly userId: string }, reason: EndReason): Promise<boolean>;
}

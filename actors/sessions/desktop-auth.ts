/** How a desktop's two credentials are checked: its access token, and the signature of its device key (contract §3.6, §3.7, §7). */
import type { SourceAddress } from '../bounds/source-address.ts';

/** Whom an access token speaks for, as far as a session needs to know. */
export interface DesktopPrincipal {
  readonly userId: string;
  readonly deviceId: string;
  /** The tokens that end together with this one. */
  readonly familyId: string;
  readonly expiresAtMs: number;
}

/** What a desktop signed to open its WebSocket, as it arrived. */
export interface DesktopHandshake {
  readonly deviceId: string;
  /** Unix seconds by the device's clock. */
  readonly timestamp: number;
  readonly sequence: number;
  /** Base64url. */
  readonly signature: string;
  readonly token: string;
}

export interface DesktopAuth {
  /**
   * Whom a token speaks for; `address` pays for one that was not seen before.
   * @throws VelloError `AUTH_TOKEN_INVALID`, `AUTH_TOKEN_EXPIRED`, `RATE_LIMITED`, `UNAVAILABLE`
   */
  verifyAccess(token: string, address: SourceAddress): Promise<DesktopPrincipal>;
  /**
   * Resolves to the device's clock minus ours, in milliseconds, once the signature holds and its sequence was never used before.
   * @throws VelloError `AUTH_SIGNATURE_INVALID`, `AUTH_CLOCK_SKEW`, `AUTH_SEQUENCE_REPLAYED`, `AUTH_REAUTHENTICATE`, `AUTH_DEVICE_REVOKED`
   */
  verifyHandshake(principal: DesktopPrincipal, handshake: DesktopHandshake): Promise<number>;
}

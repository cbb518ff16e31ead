/** A desktop's open socket as its session sees it. */
import type { DesktopPrincipal } from './device-auth.ts';
import type { ServerMessage } from './desktop-protocol.ts';

export interface SessionSocket {
  readonly isClosed: boolean;
  /** Sends at once or queues in memory. False asks to wait for `drained`: the desktop does not keep up. Does nothing once closed. */
  send(message: ServerMessage): boolean;
  /** From now on the socket ends when what this principal's token descends from is revoked. */
  renew(principal: DesktopPrincipal): void;
  close(code: number, reason: string): void;
}

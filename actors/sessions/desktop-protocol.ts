/** What travels over a desktop's WebSocket, both ways (contract §7). Types and numbers only; encoding is a transport's affair. */

export const SUBPROTOCOLS = ['vello.v1.json', 'vello.v1.msgpack'] as const;
export type Subprotocol = (typeof SUBPROTOCOLS)[number];

export const CLOSE = {
  normal: 1000,
  /** More frames at once than a session takes. */
  flooding: 1008,
  /** The session failed on our side; what was not acknowledged comes again. */
  failed: 1011,
  /** The server is stopping; come back after what `drain` said. */
  drain: 1012,
  /** Nobody could take the socket right now. */
  tryAgain: 1013,
  /** A frame that is not of this protocol. */
  malformed: 4400,
  /** The token ended without being renewed, or was revoked. */
  tokenEnded: 4401,
  slowConsumer: 4408,
  /** A newer session of the same device took over. */
  replaced: 4409,
} as const;

export interface Hello {
  readonly type: 'hello';
  readonly server_time: string;
  /** Device clock minus server clock, by the timestamp that the device signed. */
  readonly clock_offset_ms: number;
  /** A desktop that heard nothing, not even a WebSocket ping, for twice this long has lost the connection. */
  readonly heartbeat_ms: number;
  /** Changes when the numbering of messages starts over. */
  readonly epoch: string;
  /** Number of the newest message there ever was. */
  readonly last_seq: number;
}

/** Must not be missed: stored until acknowledged, numbered per device without gaps. */
export interface JobCreated {
  readonly type: 'job_created';
  readonly seq: number;
  readonly job_id: string;
  readonly event_id: string;
  readonly session_id: string;
  readonly credits_deducted: number;
  readonly balance: number;
}

/** Must not be missed. */
export interface CreditsUpdated {
  readonly type: 'credits_updated';
  readonly seq: number;
  readonly balance: number;
}

/** Answers `resume`: whether everything after the desktop's last number was, or is about to be, sent. */
export interface Resumed {
  readonly type: 'resumed';
  readonly recovered: boolean;
  readonly epoch: string;
  readonly last_seq: number;
}

interface DrainFrame {
  readonly type: 'drain';
  readonly reconnect_after_ms: number;
}

export interface TimeSynced {
  readonly type: 'time_sync';
  readonly t0: number;
  readonly server_time: string;
}

export interface Pong {
  readonly type: 'pong';
}

export interface Refreshed {
  readonly type: 'refreshed';
  readonly expires_at: string;
}

export interface ErrorFrame {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
}

export type SequencedMessage = JobCreated | CreditsUpdated;
export type ServerMessage =
  Hello | SequencedMessage | Resumed | DrainFrame | TimeSynced | Pong | Refreshed | ErrorFrame;

export type DesktopMessage =
  | { readonly type: 'resume'; readonly epoch: string; readonly seq: number }
  | { readonly type: 'ack'; readonly seq: number }
  | { readonly type: 'refresh'; readonly access_token: string }
  | { readonly type: 'time_sync'; readonly t0: number }
  | { readonly type: 'ping' };

/**
 * News for devices between processes, at most once: a hint that the outbox has grown, and word that a newer session has opened. What
 * must not be missed is in the store.
 */
import type { SequencedMessage } from './desktop-protocol.ts';

export interface DeviceNotifier {
  /**
   * Tells whoever is connected now. Loses the message where nobody is, and when the store is away: what must not be missed is in the
   * device's outbox and is replayed from there.
   */
  notify(deviceId: string, notification: SequencedMessage): Promise<void>;
}

export type DeviceNotice =
  /** A numbered message, as it would be sent. */
  | { readonly type: 'message'; readonly message: { readonly type: string; readonly seq: number } }
  /** A session with this fence has opened. */
  | { readonly type: 'session'; readonly fence: number };

export interface DeviceChannels {
  /** Resolves once notices for the device arrive. */
  follow(deviceId: string): Promise<void>;
  unfollow(deviceId: string): Promise<void>;
  close(): void;
}

export interface DeviceChannelListener {
  notice(deviceId: string, notice: DeviceNotice): void;
  /** The connection was lost and is back: what was said meanwhile is lost. */
  reconnected(): void;
}

export interface DeviceBus {
  open(listener: DeviceChannelListener): Promise<DeviceChannels>;
  /** Takes a number above all that were taken for this device, and tells all processes: sessions with a lower one are over. */
  announceSession(deviceId: string): Promise<number>;
}

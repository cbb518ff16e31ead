/** Tells the session of a device, wherever it lives, that something is waiting for it. */
import type { SequencedMessage } from './desktop-protocol.ts';

export interface Notifier {
  /**
   * Tells whoever is connected now. Loses the message where nobody is, and when the store is away: what must not be missed is in the
   * device's outbox and is replayed from there.
   */
  notify(deviceId: string, notification: SequencedMessage): Promise<void>;
}

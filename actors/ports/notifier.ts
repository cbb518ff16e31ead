/** Tells the session of a device, wherever it lives, that something is waiting for it. */

export interface JobCreated {
  readonly type: 'job_created';
  /** Number of the message in the device's outbox. */
  readonly seq: number;
  readonly job_id: string;
  readonly event_id: string;
  readonly session_id: string;
  readonly credits_deducted: number;
  readonly balance: number;
}

export type DeviceNotification = JobCreated;

export interface Notifier {
  /**
   * Tells whoever is connected now. Loses the message where nobody is, and when the store is away: what must not be missed is in the
   * device's outbox and is replayed from there.
   */
  notify(deviceId: string, notification: DeviceNotification): Promise<void>;
}

/** The outbox of a device: what it has not acknowledged yet, numbered without gaps. Rows are written where the news arises. */

export interface OutboxOwner {
  readonly userId: string;
  readonly deviceId: string;
}

export interface StoredMessage {
  readonly seq: number;
  readonly type: string;
  /** The message without `type` and `seq`. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface OutboxPage {
  /** Changes when the numbering starts over. */
  readonly epoch: string;
  /** Number of the newest message there ever was. */
  readonly lastSeq: number;
  /** In order, without gaps between them. */
  readonly messages: readonly StoredMessage[];
}

export interface DeviceMessages {
  /** Up to `limit` messages behind `afterSeq`. @throws VelloError `DEVICE_NOT_FOUND` */
  read(owner: OutboxOwner, afterSeq: number, limit: number): Promise<OutboxPage>;
  /** Deletes what the device has. Repeating it, or naming a number that was never given, changes nothing more. */
  acknowledge(owner: OutboxOwner, uptoSeq: number): Promise<void>;
}

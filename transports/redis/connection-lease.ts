/** When connections are opened and closed: one that several hold together, one that a single reader opens when it first reads. */
import type { Redis } from 'ioredis';
import { VelloError } from '../../config/errors.ts';

export interface ConnectionLease {
  readonly connection: Redis;
  /** The connection is closed when the last holder gives it back. Giving it back twice is giving it back once. */
  readonly giveBack: () => void;
}

/** A connection that is there while anybody holds it. */
export function shareConnection(connect: () => Promise<Redis>): { lease(): Promise<ConnectionLease> } {
  let current: Promise<Redis> | undefined;
  let holders = 0;

  const giveBack = () => {
    holders -= 1;
    if (holders > 0) return;
    const last = current;
    current = undefined;
    last?.then((connection) => connection.disconnect()).catch(() => undefined);
  };

  return {
    lease: async () => {
      holders += 1;
      let isHeld = true;
      const once = () => {
        if (isHeld) giveBack();
        isHeld = false;
      };
      const attempt = (current ??= connect());
      try {
        return { connection: await attempt, giveBack: once };
      } catch (error) {
        // Whoever comes next tries anew.
        if (current === attempt) current = undefined;
        once();
        throw error;
      }
    },
  };
}

export interface ReaderConnection {
  /** Opens it the first time. @throws VelloError `REDIS_UNAVAILABLE`, also once it was closed */
  get(): Promise<Redis>;
  /** For good. */
  close(): void;
}

export function createReaderConnection(connect: () => Promise<Redis>): ReaderConnection {
  let opened: Redis | undefined;
  let isClosed = false;
  const closed = () => new VelloError('REDIS_UNAVAILABLE', 'This reader has ended.');
  return {
    get: async () => {
      if (isClosed) throw closed();
      if (opened !== undefined) return opened;
      const connection = await connect();
      // It may have been closed while the connection was being made.
      if (hasEnded()) {
        connection.disconnect();
        throw closed();
      }
      opened = connection;
      return connection;
    },
    close: () => {
      isClosed = true;
      opened?.disconnect();
    },
  };

  function hasEnded(): boolean {
    return isClosed;
  }
}

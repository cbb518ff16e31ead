/** A connection that several hold together: opened for the first, closed after the last. */
import type { Redis } from 'ioredis';

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

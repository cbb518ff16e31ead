/** The server's clock as a desktop knows it. Desktop clocks may be hours off; what is signed with a time must be near the server's (contract §3.7). */
import type { Clock } from '../../actors/ports/clock.ts';

export interface ServerClock {
  /** Unix milliseconds by the server's clock, as well as we know it; our own clock until the first sample. */
  now(): number;
  /** What must be added to our clock, in milliseconds. */
  readonly offsetMs: number;
  /** Takes a `server_time` (ISO 8601) that arrived now, in answer to a request sent at `sentAtMs` of our wall clock. */
  observe(serverTime: string, sentAtMs: number): void;
}

export function createServerClock(clock: Clock): ServerClock {
  let offsetMs = 0;
  let uncertaintyMs = Number.POSITIVE_INFINITY;
  return {
    now: () => clock.now() + offsetMs,
    get offsetMs() {
      return offsetMs;
    },
    observe: (serverTime, sentAtMs) => {
      const server = Date.parse(serverTime);
      const receivedAtMs = clock.now();
      if (Number.isNaN(server) || receivedAtMs < sentAtMs) return;
      // The server read its clock somewhere between our sending and receiving: half the round trip is the error.
      const sampled = server - (sentAtMs + receivedAtMs) / 2;
      const error = (receivedAtMs - sentAtMs) / 2;
      const jumped = Math.abs(sampled - offsetMs) > error + uncertaintyMs;
      if (error <= uncertaintyMs || jumped) {
        offsetMs = Math.round(sampled);
        uncertaintyMs = error;
      }
    },
  };
}

/**
 * Keeps a valid access token at hand: renews it before it ends, once for all who ask, and repeats a renewal whose answer was lost with
 * the same refresh token, for which the server has the same successor (contract §3.5). How tokens are obtained is handed in.
 */
import type { Clock, Timer } from '../../actors/ports/clock.ts';
import { backoffMs, pause } from './backoff.ts';
import { ClientError } from './client-error.ts';

export interface HeldTokens {
  readonly access_token: string;
  /** Seconds. */
  readonly expires_in: number;
  readonly refresh_token: string;
}

export interface TokenSource {
  /** `POST /api/auth/refresh`. */
  refresh(refreshToken: string): Promise<HeldTokens>;
  /** Starts anew from the device key, when the refresh token is no longer taken. */
  authenticate(): Promise<HeldTokens>;
}

export interface TokenKeeper {
  /** A token with time left. @throws ClientError when none can be had. */
  readonly token: () => Promise<string>;
  /** A token other than `refused`, which the server no longer takes. */
  readonly replace: (refused: string) => Promise<string>;
  /** Takes tokens that came another way (registration). */
  readonly accept: (tokens: HeldTokens) => void;
  /** Calls `listener` with each new access token; returns how to stop that. */
  readonly onRenewed: (listener: (accessToken: string) => void) => () => void;
}

export interface TokenKeeperOptions {
  readonly clock: Clock;
  readonly source: TokenSource;
  readonly signal: AbortSignal;
}

interface Held extends HeldTokens {
  readonly receivedMonotonicMs: number;
  readonly receivedWallMs: number;
}

const ATTEMPTS = 4;

export function createTokenKeeper({ clock, source, signal }: TokenKeeperOptions): TokenKeeper {
  const listeners = new Set<(accessToken: string) => void>();
  let held: Held | undefined;
  let renewal: Promise<string> | undefined;
  let timer: Timer | undefined;

  signal.addEventListener('abort', () => timer?.cancel());

  const remainingMs = ({ expires_in: lifetime, receivedMonotonicMs, receivedWallMs }: Held) => {
    // Monotonic time may stand still while a laptop sleeps, wall time may be set back: the larger age is the safe one.
    const ageMs = Math.max(clock.monotonicMs() - receivedMonotonicMs, clock.now() - receivedWallMs);
    return lifetime * 1000 - ageMs;
  };

  /** Ahead by a minute, or by a fifth of a short life. */
  const leadMs = (tokens: HeldTokens) => Math.min(60_000, tokens.expires_in * 200);

  const accept = (tokens: HeldTokens) => {
    held = { ...tokens, receivedMonotonicMs: clock.monotonicMs(), receivedWallMs: clock.now() };
    timer?.cancel();
    if (signal.aborted) return;
    // A failure here is not the end: whoever needs the token next tries again and is told.
    timer = clock.setTimer(tokens.expires_in * 1000 - leadMs(tokens), () => void renew().catch(() => undefined));
    for (const listener of listeners) listener(tokens.access_token);
  };

  const obtain = async (): Promise<HeldTokens> => {
    if (held === undefined) return source.authenticate();
    try {
      return await source.refresh(held.refresh_token);
    } catch (error) {
      if (error instanceof ClientError && !error.retryable && error.status !== 0) return source.authenticate();
      throw error;
    }
  };

  const obtainStubbornly = async (): Promise<string> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const tokens = await obtain();
        accept(tokens);
        return tokens.access_token;
      } catch (error) {
        if (!(error instanceof ClientError) || !error.retryable || attempt >= ATTEMPTS || signal.aborted) throw error;
        await pause(clock, backoffMs(attempt, error.retryAfterMs), signal);
      }
    }
  };

  const renew = (): Promise<string> => {
    renewal ??= obtainStubbornly().finally(() => (renewal = undefined));
    return renewal;
  };

  return {
    token: async () => {
      if (held === undefined) return renew();
      const remaining = remainingMs(held);
      if (remaining > leadMs(held)) return held.access_token;
      // Still good: use it, and have the next one fetched meanwhile.
      if (remaining > 5000) {
        void renew().catch(() => undefined);
        return held.access_token;
      }
      return renew();
    },
    replace: async (refused) => (held !== undefined && held.access_token !== refused ? held.access_token : renew()),
    accept,
    onRenewed: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

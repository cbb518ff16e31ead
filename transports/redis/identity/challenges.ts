/** Challenges in Redis: one key each, removed by the first taker (GETDEL) or by time. */
import type { Redis } from 'ioredis';
import type { Challenge, Challenges } from '../../../actors/identity/challenge.ts';

export function createChallenges(redis: Redis): Challenges {
  return {
    async put(challengeId, { publicKey, nonce }, lifetimeMs) {
      await redis.set(`vello:challenge:${challengeId}`, `${publicKey} ${nonce}`, 'PX', lifetimeMs);
    },
    async take(challengeId): Promise<Challenge | undefined> {
      const [publicKey, nonce] = ((await redis.getdel(`vello:challenge:${challengeId}`)) ?? '').split(' ');
      return publicKey && nonce ? { publicKey, nonce } : undefined;
    },
  };
}

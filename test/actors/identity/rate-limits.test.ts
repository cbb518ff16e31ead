import t from 'tap';
import { sourceAddress } from '../../../actors/bounds/source-address.ts';
import { IDENTITY_LIMITS, takeFromAddress, takeOrRefuse } from '../../../actors/identity/rate-limits.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemoryRateLimiter } from '../../fixtures/memory-identity-stores.ts';

/** How many at once, and after how many milliseconds one more. */
const promised: Readonly<Record<keyof typeof IDENTITY_LIMITS, readonly [atOnce: number, oneMoreAfterMs: number]>> = {
  challengePerAddress: [120, 500],
  challengePerKey: [10, 6000],
  registerPerAddress: [120, 1000],
  validatePerKey: [20, 3000],
  verifyPerAddress: [120, 500],
  refreshPerAddress: [600, 100],
  exportPerUser: [5, 60_000],
};

for (const [name, [atOnce, oneMoreAfterMs]] of Object.entries(promised)) {
  t.test(`${name}: ${atOnce} at once, and one more after ${oneMoreAfterMs} ms`, async (t) => {
    const clock = createManualClock();
    const limiter = createMemoryRateLimiter(clock);
    const limit = IDENTITY_LIMITS[name as keyof typeof IDENTITY_LIMITS];
    const take = () => takeOrRefuse(limiter, 'key', limit);
    for (let n = 0; n < atOnce; n += 1) await take();
    await t.rejects(take(), { code: 'RATE_LIMITED', extras: { retryAfterMs: oneMoreAfterMs } });
    await t.resolves(takeOrRefuse(limiter, 'another key', limit));
    clock.advance(oneMoreAfterMs - 2);
    await t.rejects(take(), { code: 'RATE_LIMITED', extras: { retryAfterMs: Number } });
    clock.advance(3);
    await t.resolves(take());
  });
}

t.test('what is asked for is counted apart, the holder of an address together', async (t) => {
  const limiter = createMemoryRateLimiter(createManualClock());
  const once = { burst: 1, perMinute: 1 };
  await takeFromAddress(limiter, 'challenge', sourceAddress('192.0.2.1'), once);
  await t.rejects(takeFromAddress(limiter, 'challenge', sourceAddress('::ffff:192.0.2.1'), once), {
    code: 'RATE_LIMITED',
  });
  await t.resolves(takeFromAddress(limiter, 'verify', sourceAddress('192.0.2.1'), once));
  await t.resolves(takeFromAddress(limiter, 'challenge', sourceAddress('192.0.2.2'), once));
});

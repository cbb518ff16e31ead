import t from 'tap';
import { backoffDelayMs, DEFAULT_BACKOFF, hasRecovered, NO_BACKOFF } from '../../supervisors/backoff.ts';

t.test('by default a restart waits 100 ms, twice as long each time, and half a minute at most', async (t) => {
  const delays = Array.from({ length: 11 }, (_, failures) => backoffDelayMs(DEFAULT_BACKOFF, failures, 0));
  t.strictSame(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
});

t.test('jitter adds up to its share, in whole milliseconds, and never goes beyond the cap', async (t) => {
  const backoff = { ...DEFAULT_BACKOFF, baseMs: 15 };
  t.strictSame(
    [0, 0.5, 1].map((random) => backoffDelayMs(backoff, 0, random)),
    [15, 17, 20],
  );
  t.equal(backoffDelayMs(backoff, 20, 1), 30_000);
});

t.test('without a backoff a restart waits for nothing, however often it failed', async (t) => {
  for (const failures of [0, 1, 1000]) t.equal(backoffDelayMs(NO_BACKOFF, failures, 1), 0);
});

t.test('a child has recovered after half a minute, or twice its last delay where that is longer', async (t) => {
  t.notOk(hasRecovered(DEFAULT_BACKOFF, 29_999, 100));
  t.ok(hasRecovered(DEFAULT_BACKOFF, 30_000, 100));
  t.notOk(hasRecovered(DEFAULT_BACKOFF, 59_999, 30_000));
  t.ok(hasRecovered(DEFAULT_BACKOFF, 60_000, 30_000));
});

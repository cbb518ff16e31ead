import t from 'tap';
import { setImmediate } from 'node:timers/promises';
import { connectRedis } from '../../transports/redis/connection/connect.ts';
import { createChallenges } from '../../transports/redis/identity/challenges.ts';
import { createRateLimiter } from '../../transports/redis/identity/rate-limiter.ts';
import { createSequenceWindows } from '../../transports/redis/identity/sequence-windows.ts';
import { openUsedSignatures } from '../../transports/redis/identity/used-signatures.ts';
import { realClock } from '../fixtures/api-listener.ts';
import {
  createMemoryChallenges,
  createMemoryRateLimiter,
  createMemorySequenceWindows,
  createMemoryUsedSignatures,
} from '../fixtures/memory-identity-stores.ts';
import { startRedis } from '../fixtures/redis.ts';
import { createMemoryLog } from '../fixtures/silent.ts';

const server = await startRedis(t);
const redis = await connectRedis({ url: server.url, use: 'command', name: 'test', log: createMemoryLog() });
t.teardown(() => redis.disconnect());

const kinds = {
  Redis: {
    challenges: createChallenges(redis),
    limiter: createRateLimiter(redis),
    sequences: createSequenceWindows(redis),
    used: await openUsedSignatures(redis),
  },
  memory: {
    challenges: createMemoryChallenges(realClock),
    limiter: createMemoryRateLimiter(realClock),
    sequences: createMemorySequenceWindows(),
    used: createMemoryUsedSignatures(realClock),
  },
};

for (const [kind, { challenges, limiter, sequences, used }] of Object.entries(kinds)) {
  t.test(`${kind}: of many takers of a challenge one gets it`, async (t) => {
    const challenge = { publicKey: 'key', nonce: 'nonce' };
    await challenges.put('one', challenge, 60_000);
    const taken = await Promise.all(Array.from({ length: 20 }, () => challenges.take('one')));
    t.strictSame(
      taken.filter((found) => found !== undefined),
      [challenge],
    );
    t.equal(await challenges.take('unknown'), undefined);
  });

  t.test(`${kind}: a bucket gives its burst at once, then says how long until the next token`, async (t) => {
    const limit = { burst: 3, perMinute: 6 };
    const waits = [];
    for (let i = 0; i < 5; i += 1) waits.push(await limiter.take('caller', limit));
    t.strictSame(waits.slice(0, 3), [0, 0, 0]);
    for (const wait of waits.slice(3)) t.ok(wait > 5_000 && wait <= 10_000, `${wait} ms`);
    t.equal(await limiter.take('another caller', limit), 0);
  });

  t.test(`${kind}: a sequence number is accepted once, in any order within 32`, async (t) => {
    const mark = (sequence: number, more: object = {}) =>
      sequences.mark({ deviceId: 'd1', sequence, timestamp: 1000, digest: `digest-${sequence}`, ...more });
    t.equal(await mark(1), 'unknown');
    t.equal(
      await sequences.mark({ deviceId: 'd1', sequence: 40, timestamp: 1000, digest: 'digest-40' }, 5),
      'accepted',
    );
    for (const sequence of [38, 42, 39, 41, 11, 100]) t.equal(await mark(sequence), 'accepted', `${sequence}`);
    for (const sequence of [40, 38, 42, 39, 41, 100]) t.equal(await mark(sequence), 'replayed', `${sequence} again`);
    t.equal(await mark(68), 'replayed', 'older than the window, and not newly signed');
    t.equal(await mark(69), 'accepted', 'the oldest of the window');
  });

  t.test(`${kind}: one number in two requests, or an old number newly signed, is a second writer`, async (t) => {
    const mark = (deviceId: string, sequence: number, timestamp: number, digest: string) =>
      sequences.mark({ deviceId, sequence, timestamp, digest }, 0);
    t.equal(await mark('d2', 7, 1000, 'a'), 'accepted');
    t.equal(await mark('d2', 7, 1001, 'b'), 'second_writer');
    t.equal(await mark('d2', 8, 1002, 'c'), 'reauthenticate');
    const next = await sequences.resume('d2', 7);
    t.ok(next > 8 + 30, `${next} is out of reach of what the other still holds`);
    t.equal(await mark('d2', next, 1003, 'd'), 'accepted');

    t.equal(await mark('d3', 100, 1000, 'a'), 'accepted');
    t.equal(await mark('d3', 5, 1001, 'b'), 'second_writer', 'a snapshot that was set back');
  });

  t.test(`${kind}: after its memory was lost a window goes on above the durable mark`, async (t) => {
    await sequences.mark({ deviceId: 'd4', sequence: 9, timestamp: 1000, digest: 'a' }, 0);
    await sequences.forget('d4');
    t.equal(await sequences.mark({ deviceId: 'd4', sequence: 9, timestamp: 1000, digest: 'a' }), 'unknown');
    t.equal(await sequences.mark({ deviceId: 'd4', sequence: 9, timestamp: 1000, digest: 'a' }, 9), 'replayed');
    t.equal(await sequences.mark({ deviceId: 'd4', sequence: 10, timestamp: 1000, digest: 'b' }, 9), 'accepted');
    t.equal(await sequences.resume('d5', 12), 13);
  });

  t.test(`${kind}: a number near the last that can be counted does not lock the device out`, async (t) => {
    const mark = (sequence: number) =>
      sequences.mark({ deviceId: 'd6', sequence, timestamp: 1000, digest: `digest-${sequence}` }, 10);
    t.equal(await mark(Number.MAX_SAFE_INTEGER - 1), 'ahead');
    t.equal(await mark(1_000_011), 'ahead');
    t.equal(await mark(11), 'accepted', 'and nothing is remembered of it');
    t.equal(await mark(1_000_011), 'accepted', 'a million at once are');
    t.equal(await sequences.resume('d6', 10), 1_000_012);
  });

  t.test(`${kind}: a signature is fresh once`, async (t) => {
    const now = Date.now();
    const uses = await Promise.all(Array.from({ length: 10 }, () => used.use('hash', now, 60_000)));
    t.equal(uses.filter((use) => use === 'fresh').length, 1);
    t.equal(uses.filter((use) => use === 'replayed').length, 9);
    t.equal(await used.use('older', now - 60_000, 60_000), 'forgotten');
  });
}

t.test('Redis keeps a window in constant size, whatever the traffic', async (t) => {
  const sequences = createSequenceWindows(redis);
  const size = async () => Number(await redis.call('MEMORY', 'USAGE', 'vello:sequence:busy'));
  const run = async (from: number, to: number) => {
    for (let n = from; n <= to; n += 1) {
      await sequences.mark({ deviceId: 'busy', sequence: n, timestamp: 1_750_000_000 + n, digest: 'eightch.' }, 0);
    }
  };
  await run(100_000, 100_040);
  const before = await size();
  await run(100_041, 100_400);
  t.equal(await size(), before);
  t.ok(before < 2000, `${before} bytes`);
});

for (const loss of ['a restart', 'FLUSHALL'] as const) {
  t.test(`Redis: after ${loss} nothing that was signed before is taken`, async (t) => {
    const used = await openUsedSignatures(redis);
    // As if the memory had begun ten minutes ago.
    await redis.hset('vello:service-signatures', 'since', Math.floor(Date.now() / 1000) - 600);
    const signedAtMs = Date.now() - 5000;
    t.equal(await used.use(`before ${loss}`, signedAtMs, 600_000), 'fresh');
    if (loss === 'FLUSHALL') await redis.flushall();
    else {
      await server.kill();
      await server.restart();
    }
    let verdict: string | undefined;
    while (verdict === undefined) {
      await setImmediate();
      verdict = await used.use(`before ${loss}`, signedAtMs, 600_000).catch(() => undefined);
    }
    t.equal(verdict, 'forgotten');
    t.equal(await used.use(`after ${loss}`, Date.now(), 600_000), 'fresh');
  });
}

import t from 'tap';
import { validate, version } from 'uuid';
import { newId } from '../../../actors/identity/new-id.ts';

t.test('ids are UUIDv7, never twice the same, and sort in the order in which they were made', async (t) => {
  const ids = Array.from({ length: 20_000 }, newId);
  t.ok(ids.every((id) => validate(id) && version(id) === 7));
  t.equal(new Set(ids).size, ids.length);
  t.same(ids.toSorted(), ids);
  const madeMs = Number.parseInt((ids[0] ?? '').replace('-', '').slice(0, 12), 16);
  t.ok(Math.abs(Date.now() - madeMs) < 60_000, 'the first 48 bits are the time');
});

t.test('the random part is fresh for each id, also where the pool of randomness begins anew', async (t) => {
  const tails = Array.from({ length: 2000 }, () => newId().slice(-10));
  t.equal(new Set(tails).size, tails.length);
});

/** The 32 bits that count within a millisecond: 12 behind the version, 6 behind the variant, 14 more. */
const counterOf = (id: string) => {
  const bits = BigInt(`0x${id.replaceAll('-', '')}`);
  return Number((((bits >> 64n) & 0xfffn) << 20n) | (((bits >> 56n) & 0x3fn) << 14n) | ((bits >> 42n) & 0x3fffn));
};
const timeOf = (id: string) => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);

t.test('each millisecond starts to count at random, with half of the numbers before it', async (t) => {
  const { now } = Date;
  let atMs = now() + 1000;
  t.teardown(() => (Date.now = now));
  Date.now = () => (atMs += 1);
  const starts = Array.from({ length: 500 }, () => counterOf(newId()));
  t.ok(Math.max(...starts) < 2 ** 31);
  t.ok(Math.max(...starts) > 2 ** 30, 'all of that half is used');
  t.equal(new Set(starts).size, starts.length);
});

t.test('within a millisecond, and while the clock is behind, ids keep their time and go on counting', async (t) => {
  const { now } = Date;
  const atMs = now() + 100_000;
  t.teardown(() => (Date.now = now));
  Date.now = () => atMs;
  const ids = Array.from({ length: 100 }, newId);
  Date.now = () => atMs - 50_000;
  ids.push(...Array.from({ length: 100 }, newId));
  t.same(ids.toSorted(), ids);
  t.ok(ids.every((id) => timeOf(id) === atMs));
});

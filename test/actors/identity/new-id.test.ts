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

import t from 'tap';
import { createRecentMap } from '../../../actors/bounds/recent-map.ts';

const kept = (map: { get(key: string): unknown }, keys: string) =>
  Array.from(keys)
    .filter((key) => map.get(key) !== undefined)
    .join('');

t.test('keeps as many as it may, and what was set or read last', async (t) => {
  const map = createRecentMap<number>(3);
  for (const key of 'abc') map.set(key, 0);
  t.equal(map.get('a'), 0);
  map.set('b', 1);
  map.set('d', 0);
  t.equal(kept(map, 'abcd'), 'abd', 'c was touched longest ago');
  t.equal(map.get('b'), 1);
});

t.test('what is deleted makes room', async (t) => {
  const map = createRecentMap<number>(2);
  map.set('a', 0);
  map.set('b', 0);
  map.delete('b');
  map.set('c', 0);
  t.equal(kept(map, 'abc'), 'ac');
});

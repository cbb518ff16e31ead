import { randomUUID } from 'node:crypto';
import t from 'tap';
import { IdTable } from '../../../actors/bounds/id-table.ts';

t.test('a table does as a Map does, whatever comes and goes, and of ids of any form', async (t) => {
  const table = new IdTable<number>();
  const map = new Map<string, number>();
  const agrees = () => t.same(table.values().sort(), [...map.values()].sort());
  // Few ids that collide, many that do not, and more at once than it begins with.
  for (const idOf of [
    () => String(Math.floor(Math.random() * 40)),
    () => `${Math.floor(Math.random() * 60)}-the-same-end`,
    () => randomUUID(),
  ]) {
    for (let step = 0; step < 6_000; step += 1) {
      const known = [...map.keys()];
      const id = Math.random() < 0.4 && known.length > 0 ? (known[step % known.length] ?? '') : idOf();
      if (Math.random() < 0.48) t.equal(table.delete(id), map.delete(id));
      else {
        table.set(id, step);
        map.set(id, step);
      }
      t.equal(table.size, map.size);
      t.equal(table.get(id), map.get(id));
      if (step % 500 === 0) agrees();
    }
    agrees();
    table.clear();
    map.clear();
    agrees();
  }
});

t.test('what was cleared of much is empty and takes what comes', async (t) => {
  const table = new IdTable<number>();
  for (let n = 0; n < 5_000; n += 1) table.set(randomUUID(), n);
  t.equal(table.values().length, 5_000);
  table.clear();
  t.equal(table.delete('a'), false);
  table.set('a', 1);
  t.same(table.values(), [1]);
});

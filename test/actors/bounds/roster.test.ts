import t from 'tap';
import { Roster } from '../../../actors/bounds/roster.ts';

const entry = (name: string) => ({ name, place: -1 });

t.test('who was added is in it until it is removed, whatever the order', async (t) => {
  const roster = new Roster<ReturnType<typeof entry>>();
  const [a, b, c, d] = [entry('a'), entry('b'), entry('c'), entry('d')];
  for (const one of [a, b, c, d]) roster.add(one);
  const names = () => roster.all().map(({ name }) => name);
  roster.remove(b);
  t.strictSame(names().sort(), ['a', 'c', 'd']);
  roster.remove(c);
  roster.remove(b);
  t.strictSame(names().sort(), ['a', 'd'], 'twice does no harm');
  roster.add(b);
  roster.remove(d);
  t.strictSame(names().sort(), ['a', 'b']);
  roster.remove(a);
  roster.remove(b);
  t.equal(roster.size, 0);
  roster.remove(entry('stranger'));
  t.equal(roster.size, 0);
});

t.test('a walk shows all that were in it when it began, also those that leave on the way', async (t) => {
  const roster = new Roster<ReturnType<typeof entry>>();
  for (const name of ['a', 'b', 'c']) roster.add(entry(name));
  const seen: string[] = [];
  for (const one of roster.all()) {
    seen.push(one.name);
    for (const other of roster.all()) roster.remove(other);
  }
  t.strictSame(seen, ['a', 'b', 'c']);
  t.equal(roster.size, 0);
});

t.test('places stay true through any mix of comings and goings', async (t) => {
  const roster = new Roster<ReturnType<typeof entry>>();
  const inside = new Set<ReturnType<typeof entry>>();
  for (let n = 0; n < 2000; n += 1) {
    const leaving = [...inside][(n * 7919) % (inside.size + 1)];
    if (leaving !== undefined && n % 3 !== 0) {
      roster.remove(leaving);
      inside.delete(leaving);
      t.equal(leaving.place, -1);
    } else {
      const coming = entry(String(n));
      roster.add(coming);
      inside.add(coming);
    }
  }
  t.strictSame(new Set(roster.all()), inside);
  for (const [place, one] of roster.all().entries()) t.equal(one.place, place);
});

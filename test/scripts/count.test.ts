import t from 'tap';
import { count } from '../../scripts/count.ts';

t.test('one of a thing is one thing, and none or several are things', async (t) => {
  t.equal(count(1, 'device'), '1 device');
  t.equal(count(0, 'device'), '0 devices');
  t.equal(count(2, 'entry', 'entries'), '2 entries');
});

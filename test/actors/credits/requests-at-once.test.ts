import t from 'tap';
import { announceBalance, requestsAtOnce } from '../../../actors/credits/requests-at-once.ts';
import { createMemoryGrants } from '../../fixtures/memory-grants.ts';

t.test('a balance allows one request at once for each minute of speech that it pays for', async (t) => {
  const cases: [number, number | undefined][] = [
    [-40, 1],
    [0, 1],
    [100, 1],
    [666, 1],
    [667, 2],
    [1_333, 2],
    [1_334, 4],
    [2_667, 8],
    [5_000, 8],
    [10_666, 16],
    [10_667, undefined],
    [1_000_000, undefined],
  ];
  for (const [balance, atOnce] of cases) t.equal(requestsAtOnce(balance), atOnce, String(balance));
});

t.test('who has nothing left is suspended, everybody else bounded as the balance has it', async (t) => {
  const grants = createMemoryGrants();
  await announceBalance(grants, 'a', 100, true);
  await announceBalance(grants, 'b', 100, false);
  await announceBalance(grants, 'c', 20_000, false);
  t.same(grants.operations, [
    { op: 'suspend', userId: 'a' },
    { op: 'limit', userId: 'b', requestsAtOnce: 1 },
    { op: 'limit', userId: 'c', requestsAtOnce: undefined },
  ]);
});

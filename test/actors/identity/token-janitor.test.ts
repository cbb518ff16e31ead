import t from 'tap';
import { tokenJanitor } from '../../../actors/identity/token-janitor.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createMemoryGrants } from '../../fixtures/memory-grants.ts';
import { pass } from '../../fixtures/settled.ts';

t.test('says revocations and suspensions again, whose first announcement a crash may have swallowed', async (t) => {
  const { system, clock } = createTestSystem();
  const asked: number[] = [];
  let removals = 0;
  const upkeep = {
    recentRestrictions: async (withinMs: number) => {
      asked.push(withinMs);
      return { familyIds: ['family'], suspendedUserIds: ['user'] };
    },
    removeExpired: async () => (removals += 1),
  };
  const grants = createMemoryGrants();
  system.spawn('janitor', tokenJanitor({ upkeep, grants }));
  await pass(clock, 29_999);
  t.strictSame(grants.operations, []);
  await pass(clock, 30_001);
  const round = [
    { op: 'revoke', scope: { familyId: 'family' } },
    { op: 'suspend', userId: 'user' },
  ];
  t.strictSame(grants.operations, [...round, ...round]);
  t.strictSame(asked, [300_000, 300_000], 'and reaches back over several rounds');
  await pass(clock, 539_999);
  t.equal(removals, 0);
  await pass(clock, 1);
  t.equal(removals, 1);
  await pass(clock, 600_000);
  t.match(system.snapshot().tree, [{ type: 'token-janitor', facts: { removed: 3 } }], 'one row, and two');
  await system.stop();
});

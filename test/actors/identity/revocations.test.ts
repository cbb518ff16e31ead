import t from 'tap';
import { revocationFollower } from '../../../actors/identity/revocation-follower.ts';
import { createRevocations } from '../../../actors/identity/revocations.ts';
import type { GrantFollower, RevocationScope } from '../../../actors/ports/grants.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { settled } from '../../fixtures/settled.ts';

const principal = { userId: 'same', deviceId: 'same', familyId: 'same', expiresAtMs: Infinity };
const longestMs = 900_000 + 60_000;

t.test(
  'a revocation is remembered for as long as a token of its scope may live, clocks of two hosts apart',
  async (t) => {
    const clock = createManualClock();
    const told: RevocationScope[] = [];
    const revocations = createRevocations(clock, (scope) => told.push(scope));
    revocations.apply({ op: 'revoke', scope: { familyId: 'first' } });
    clock.advance(longestMs - 1);
    revocations.apply({ op: 'revoke', scope: { familyId: 'second' } });
    const isRevoked = (familyId: string) => revocations.isRevoked({ ...principal, familyId });
    t.ok(isRevoked('first'));
    clock.advance(1);
    revocations.apply({ op: 'revoke', scope: { familyId: 'third' } });
    t.strictSame(['first', 'second', 'third'].map(isRevoked), [false, true, true]);
    t.strictSame(told, [{ familyId: 'first' }, { familyId: 'second' }, { familyId: 'third' }]);
  },
);

t.test('one that is published again counts from then on', async (t) => {
  const clock = createManualClock();
  const revocations = createRevocations(clock);
  const revoke = (familyId: string) => revocations.apply({ op: 'revoke', scope: { familyId } });
  revoke('again');
  revoke('once');
  clock.advance(longestMs - 1);
  revoke('again');
  clock.advance(1);
  revoke('later');
  t.strictSame(
    ['again', 'once'].map((familyId) => revocations.isRevoked({ ...principal, familyId })),
    [true, false],
  );
});

t.test('family, device and user of one name are not each other, and nothing but a revocation revokes', async (t) => {
  for (const scope of [{ familyId: 'same' }, { deviceId: 'same' }, { userId: 'same' }]) {
    const revocations = createRevocations(createManualClock());
    revocations.apply({ op: 'suspend', userId: 'same' });
    t.notOk(revocations.isRevoked(principal));
    revocations.apply({ op: 'revoke', scope });
    t.ok(revocations.isRevoked(principal));
    const others = { userId: 'u', deviceId: 'd', familyId: 'f', expiresAtMs: Infinity };
    for (const name of ['userId', 'deviceId', 'familyId'] as const) {
      t.equal(
        revocations.isRevoked({ ...others, [name]: 'same' }),
        name in scope,
        `${name} by ${JSON.stringify(scope)}`,
      );
    }
  }
});

t.test('the follower reads until it is stopped, and falls with the reading', async (t) => {
  const { system, log } = createTestSystem();
  const revocations = createRevocations(createManualClock());
  let followed: { readonly follower: GrantFollower; readonly signal: AbortSignal } | undefined;
  let fail = (_: Error): void => undefined;
  const source = {
    find: async () => undefined,
    follow: (follower: GrantFollower, signal: AbortSignal) => {
      followed = { follower, signal };
      return new Promise<void>((resolve, reject) => {
        fail = reject;
        signal.addEventListener('abort', () => resolve());
      });
    },
  };
  system.spawn('revocations', revocationFollower(revocations, source));
  await settled();
  t.equal(revocations.ready, false);
  followed?.follower.caughtUp();
  followed?.follower.lost(new Error('away'));
  t.equal(revocations.ready, true, 'what is known stays true while the store is away');
  fail(new Error('reading broke'));
  await settled();
  t.ok(log.lines.some(({ fields }) => JSON.stringify(fields).includes('reading broke')));
  t.equal(system.resolve('revocations'), undefined);
  await system.stop();
});

import { createHash } from 'node:crypto';
import t from 'tap';
import { sourceAddress } from '../../../actors/bounds/source-address.ts';
import { createAdmission, openAdmission } from '../../../actors/admission/admission.ts';
import { createGrantTable } from '../../../actors/admission/grant-table.ts';
import { grantsFollower } from '../../../actors/admission/grants-follower.ts';
import { createTokenBuckets } from '../../../actors/bounds/token-bucket.ts';
import type { Grant, GrantFollower } from '../../../actors/ports/grants.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemoryMetrics } from '../../fixtures/silent.ts';
import { pass, settled } from '../../fixtures/settled.ts';

const hashOf = (token: string) => createHash('sha256').update(token).digest('base64url');
const grantOf = (token: string, more: Partial<Grant> = {}): Grant => ({
  tokenHash: hashOf(token),
  userId: 'user',
  deviceId: 'device',
  familyId: 'family',
  expiresAtMs: createManualClock().now() + 900_000,
  ...more,
});

t.test('each answer to a token is counted by what it was', async (t) => {
  const clock = createManualClock();
  const metrics = createMemoryMetrics();
  const table = createGrantTable(() => clock.now());
  let isAway = false;
  const find = async (hash: string) => {
    if (isAway) throw new Error('away');
    return hash === hashOf('stored') ? grantOf('stored') : undefined;
  };
  const admission = createAdmission({ table, source: { find }, requestsPerUser: 3, clock, metrics });
  const admit = async (header: string) => admission.admit(header, () => sourceAddress('192.0.2.1'));
  const counted = () =>
    Object.fromEntries(
      ['hit', 'found', 'suspended', 'unavailable', 'unknown', 'missing', 'limited'].map((result) => [
        result,
        metrics.value('vello_gateway_grant_lookups_total', { result }),
      ]),
    );
  await admit('Bearer stored');
  await admit('Bearer stored');
  table.apply({ op: 'suspend', userId: 'user' });
  await t.rejects(admit('Bearer stored'), { code: 'CREDITS_EXHAUSTED' });
  await t.rejects(admit('Basic x'), { code: 'AUTH_TOKEN_MISSING' });
  await t.rejects(admit('Bearer forged'), { code: 'AUTH_TOKEN_UNKNOWN' });
  await t.rejects(admit('Bearer forged'), { code: 'AUTH_TOKEN_UNKNOWN' }, 'remembered');
  await t.rejects(admit(`Bearer ${'x'.repeat(4097)}`), { code: 'AUTH_TOKEN_UNKNOWN' });
  isAway = true;
  await t.rejects(admit(`Bearer ${'x'.repeat(4096)}`), { code: 'UNAVAILABLE' }, 'one that could be ours is asked for');
  for (let n = 0; n < 17; n += 1) await t.rejects(admit(`Bearer forged-${n}`), { code: 'UNAVAILABLE' });
  await t.rejects(admit('Bearer one-more'), { code: 'RATE_LIMITED', extras: { retryAfterMs: 200 } });
  t.strictSame(counted(), { hit: 1, found: 1, suspended: 1, unavailable: 18, unknown: 3, missing: 1, limited: 1 });
});

t.test('an open admission lets everybody in, and names nobody', async (t) => {
  t.strictSame(
    openAdmission.admit('', () => sourceAddress('192.0.2.1')),
    {},
  );
  t.equal(openAdmission.hold({}, () => undefined)(), undefined);
});

t.test('what is left of a family, device or user is revoked after others of it expired or were let go', async (t) => {
  for (const scope of [{ familyId: 'family' }, { deviceId: 'device' }, { userId: 'user' }]) {
    const clock = createManualClock();
    const table = createGrantTable(() => clock.now());
    table.apply({ op: 'issue', grant: grantOf('short', { expiresAtMs: clock.now() + 1 }) });
    table.apply({ op: 'issue', grant: grantOf('long') });
    clock.advance(1);
    t.equal(table.lookup(hashOf('short')), undefined);
    t.equal(table.size, 1, 'what expired is gone once it was looked for');
    const told: string[] = [];
    table.hold(grantOf('long'), () => told.push('first'))();
    table.hold(grantOf('long'), () => told.push('second'));
    table.hold(grantOf('long'), () => told.push('third'))();
    table.apply({ op: 'revoke', scope });
    t.equal(table.lookup(hashOf('long')), undefined);
    t.strictSame(told, ['second']);
  }
});

t.test('a grant that is over is not taken, and a sweep keeps what is not', async (t) => {
  const clock = createManualClock();
  const table = createGrantTable(() => clock.now());
  table.apply({ op: 'issue', grant: grantOf('over', { expiresAtMs: clock.now() }) });
  t.equal(table.size, 0);
  table.apply({ op: 'issue', grant: grantOf('good') });
  table.apply({ op: 'suspend', userId: 'user' });
  table.sweep();
  t.match(table.lookup(hashOf('good')), { userId: 'user', suspended: true }, 'whoever is suspended stays so');
});

t.test('a bucket says when it has a token again, a part of one counted', async (t) => {
  const clock = createManualClock();
  const buckets = createTokenBuckets({ burst: 2, perSecond: 5, sources: 2, monotonicMs: () => clock.monotonicMs() });
  t.strictSame([buckets.take('a'), buckets.take('a'), buckets.take('a')], [0, 0, 200]);
  clock.advance(100);
  t.equal(buckets.take('a'), 100);
  clock.advance(100);
  t.equal(buckets.take('a'), 0);
  clock.advance(60_000);
  t.strictSame([buckets.take('a'), buckets.take('a'), buckets.take('a')], [0, 0, 200], 'and never more than its burst');
  for (const source of ['b', 'c']) buckets.take(source);
  t.equal(buckets.take('a'), 0, 'who was quiet longest is forgotten');
});

t.test('the follower is ready once the history was read, says what it knows, and falls with the reading', async (t) => {
  const { system, clock, log, metrics } = createTestSystem();
  const table = createGrantTable(() => clock.now());
  let followed: { readonly follower: GrantFollower; readonly signal: AbortSignal } | undefined;
  let fail = (_: unknown): void => undefined;
  const source = () => ({
    follow: (follower: GrantFollower, signal: AbortSignal) => {
      followed = { follower, signal };
      return new Promise<void>((_, reject) => (fail = reject));
    },
  });
  system.spawn('grants', grantsFollower({ table, source, metrics }));
  await settled();
  const facts = () => system.snapshot().tree[0]?.facts;
  t.strictSame(facts(), { grants: 0, connected: false });
  followed?.follower.apply({ op: 'issue', grant: grantOf('good', { expiresAtMs: clock.now() + 7000 }) });
  followed?.follower.caughtUp();
  t.strictSame(facts(), { grants: 1, connected: true });
  followed?.follower.lost(new Error('away'));
  t.strictSame(facts(), { grants: 1, connected: false });
  await pass(clock, 5000);
  t.equal(metrics.value('vello_gateway_grants'), 1);
  await pass(clock, 5000);
  t.equal(metrics.value('vello_gateway_grants'), 0, 'what expired was swept away');
  fail('broke');
  await settled();
  t.ok(log.lines.some(({ fields }) => JSON.stringify(fields).includes('broke')));
  t.equal(system.resolve('grants'), undefined);
  await system.stop();
});

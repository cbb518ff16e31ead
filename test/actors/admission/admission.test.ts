import { createHash } from 'node:crypto';
import t from 'tap';
import { createAdmission } from '../../../actors/admission/admission.ts';
import { createGrantTable } from '../../../actors/admission/grant-table.ts';
import { sourceAddress } from '../../../actors/bounds/source-address.ts';
import type { Grant } from '../../../actors/ports/grants.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemoryMetrics } from '../../fixtures/silent.ts';

const hashOf = (token: string) => createHash('sha256').update(token).digest('base64url');

function setUp() {
  const clock = createManualClock();
  const metrics = createMemoryMetrics();
  const table = createGrantTable(() => clock.now());
  const stored = new Map<string, Grant>();
  const asked: string[] = [];
  let beforeAnswer: (() => void) | undefined;
  const source = {
    find: async (tokenHash: string) => {
      asked.push(tokenHash);
      const answer = stored.get(tokenHash);
      beforeAnswer?.();
      beforeAnswer = undefined;
      return answer;
    },
  };
  const grantFor = (token: string, ids: Partial<Grant> = {}): Grant => ({
    tokenHash: hashOf(token),
    userId: 'user-1',
    deviceId: 'device-1',
    familyId: 'family-1',
    expiresAtMs: clock.now() + 900_000,
    ...ids,
  });
  const admission = createAdmission({ table, source, requestsPerUser: 3, clock, metrics });
  const admit = async (token: string, from = '192.0.2.1') =>
    admission.admit(`Bearer ${token}`, () => sourceAddress(from));
  return {
    clock,
    metrics,
    table,
    stored,
    asked,
    grantFor,
    admission,
    admit,
    onNextAnswer: (act: () => void) => (beforeAnswer = act),
  };
}

t.test('a token with a grant is admitted at once, without asking the store', async (t) => {
  const { table, admission, grantFor, asked } = setUp();
  table.apply({ op: 'issue', grant: grantFor('good') });
  const caller = admission.admit('bearer good', () => sourceAddress('192.0.2.1'));
  t.notOk(caller instanceof Promise);
  t.match(caller, { userId: 'user-1', deviceId: 'device-1' });
  t.same(asked, []);
});

t.test('a request without a bearer token is refused before anything is hashed or asked', async (t) => {
  const { admission, asked } = setUp();
  for (const header of ['', 'Basic dXNlcg==', 'Bearer ', 'Bearer a b', 'Bearer a\u0000']) {
    t.throws(
      () => admission.admit(header, () => sourceAddress('192.0.2.1')),
      { code: 'AUTH_TOKEN_MISSING' },
      JSON.stringify(header),
    );
  }
  t.same(asked, []);
});

t.test('a grant ends with its expiry, and the store is then asked whether it knows better', async (t) => {
  const { table, admit, clock, grantFor, asked } = setUp();
  table.apply({ op: 'issue', grant: grantFor('good') });
  clock.advance(900_000);
  await t.rejects(admit('good'), { code: 'AUTH_TOKEN_UNKNOWN' });
  t.same(asked, [hashOf('good')]);
});

for (const scope of [{ familyId: 'family-1' }, { deviceId: 'device-1' }, { userId: 'user-1' }]) {
  t.test(`revoking by ${Object.keys(scope)[0] ?? ''} ends all its tokens and no other`, async (t) => {
    const { table, admit, grantFor } = setUp();
    table.apply({ op: 'issue', grant: grantFor('a') });
    table.apply({ op: 'issue', grant: grantFor('b') });
    table.apply({ op: 'issue', grant: grantFor('other', { userId: 'u2', deviceId: 'd2', familyId: 'f2' }) });
    table.apply({ op: 'revoke', scope });
    await t.rejects(admit('a'), { code: 'AUTH_TOKEN_UNKNOWN' });
    await t.rejects(admit('b'), { code: 'AUTH_TOKEN_UNKNOWN' });
    t.match(await admit('other'), { userId: 'u2' });
  });
}

t.test('a suspended user gets 402 with every token, also later ones, until he is reinstated', async (t) => {
  const { table, admit, grantFor } = setUp();
  table.apply({ op: 'issue', grant: grantFor('a') });
  table.apply({ op: 'suspend', userId: 'user-1' });
  await t.rejects(admit('a'), { code: 'CREDITS_EXHAUSTED', status: 402 });
  table.apply({ op: 'issue', grant: grantFor('b', { suspended: true }) });
  await t.rejects(admit('b'), { code: 'CREDITS_EXHAUSTED' });
  table.apply({ op: 'reinstate', userId: 'user-1' });
  t.match(await admit('a'), { userId: 'user-1' });
  t.match(await admit('b'), { userId: 'user-1' });
});

t.test('a small balance bounds the requests of its user below what the gateway allows, and never above', async (t) => {
  const { table, admission, admit, grantFor } = setUp();
  const heldAtOnce = async () => {
    const held: (() => void)[] = [];
    try {
      for (;;) held.push(admission.hold(await admit('a'), () => undefined));
    } catch (error) {
      t.match(error, { code: 'RATE_LIMITED' });
    }
    for (const forget of held) forget();
    return held.length;
  };
  table.apply({ op: 'issue', grant: grantFor('a', { requestsAtOnce: 2 }) });
  t.equal(await heldAtOnce(), 2);
  table.apply({ op: 'limit', userId: 'user-1', requestsAtOnce: 1 });
  t.equal(await heldAtOnce(), 1);
  table.apply({ op: 'limit', userId: 'user-1', requestsAtOnce: 50 });
  t.equal(await heldAtOnce(), 3);
  table.apply({ op: 'limit', userId: 'user-1', requestsAtOnce: undefined });
  t.equal(await heldAtOnce(), 3);
  table.apply({ op: 'issue', grant: grantFor('b', { requestsAtOnce: 1 }) });
  t.equal(await heldAtOnce(), 1, 'a new grant says it for the older tokens too');
  table.sweep();
  t.equal(await heldAtOnce(), 1);
});

t.test('a new grant that is not suspended lifts the suspension of its user, for the older tokens too', async (t) => {
  const { table, admit, grantFor } = setUp();
  table.apply({ op: 'issue', grant: grantFor('a', { suspended: true }) });
  await t.rejects(admit('a'), { code: 'CREDITS_EXHAUSTED' });
  table.apply({ op: 'issue', grant: grantFor('b') });
  t.match(await admit('b'), { userId: 'user-1' });
  t.match(await admit('a'), { userId: 'user-1' });
});

t.test(
  'a miss is asked of the store once, however many requests wait for the answer, and what was found stays',
  async (t) => {
    const { stored, admit, grantFor, asked, metrics } = setUp();
    stored.set(hashOf('late'), grantFor('late'));
    await Promise.all(Array.from({ length: 50 }, () => admit('late')));
    await admit('late');
    t.equal(asked.length, 1);
    t.equal(metrics.value('vello_gateway_grant_lookups_total', { result: 'found' }), 50);
    t.equal(metrics.value('vello_gateway_grant_lookups_total', { result: 'hit' }), 1);
  },
);

t.test('an unknown token is asked once and remembered as unknown for a while', async (t) => {
  const { admit, asked, clock } = setUp();
  for (let attempt = 0; attempt < 5; attempt += 1) await t.rejects(admit('forged'), { code: 'AUTH_TOKEN_UNKNOWN' });
  t.equal(asked.length, 1);
  clock.advance(10_001);
  await t.rejects(admit('forged'), { code: 'AUTH_TOKEN_UNKNOWN' });
  t.equal(asked.length, 2);
});

t.test(
  'a flood of forged tokens costs the store a bounded number of questions and leaves other addresses alone',
  async (t) => {
    const { admit, asked, clock } = setUp();
    for (let attempt = 0; attempt < 1_000; attempt += 1) await t.rejects(admit(`forged-${attempt}`));
    t.equal(asked.length, 20);
    const limited = await t.rejects(admit('forged-again'), { code: 'RATE_LIMITED' });
    t.ok(limited);
    await t.rejects(admit('elsewhere', '192.0.2.2'), { code: 'AUTH_TOKEN_UNKNOWN' });
    t.equal(asked.length, 21);
    clock.advance(1_000);
    for (let attempt = 0; attempt < 10; attempt += 1) await t.rejects(admit(`later-${attempt}`));
    t.equal(asked.length, 26);
  },
);

t.test('addresses of one IPv6 network share a limit', async (t) => {
  const { admit, asked } = setUp();
  for (let host = 0; host < 100; host += 1) {
    const last = host.toString(16).padStart(4, '0');
    await t.rejects(admit(`forged-${host}`, `2001:0db8:0000:0001:0000:0000:0000:${last}`));
  }
  t.equal(asked.length, 20);
});

t.test('a revocation that overtakes the answer to a miss wins', async (t) => {
  const { stored, admit, grantFor, table, onNextAnswer } = setUp();
  stored.set(hashOf('raced'), grantFor('raced'));
  onNextAnswer(() => {
    stored.delete(hashOf('raced'));
    table.apply({ op: 'revoke', scope: { familyId: 'family-1' } });
  });
  await t.rejects(admit('raced'), { code: 'AUTH_TOKEN_UNKNOWN' });
  t.equal(table.size, 0);
});

t.test('while the store is away known tokens work and unknown ones get 503, not 401', async (t) => {
  const { clock, metrics, grantFor } = setUp();
  const table = createGrantTable(() => clock.now());
  table.apply({ op: 'issue', grant: grantFor('good') });
  const source = { find: () => Promise.reject(new Error('down')) };
  const admission = createAdmission({ table, source, requestsPerUser: 3, clock, metrics });
  t.match(await admission.admit('Bearer good', () => sourceAddress('192.0.2.1')), { userId: 'user-1' });
  await t.rejects(Promise.resolve(admission.admit('Bearer new', () => sourceAddress('192.0.2.1'))), {
    code: 'UNAVAILABLE',
    retryable: true,
  });
});

t.test('sweeping drops expired grants and leaves nothing of them behind', async (t) => {
  const { clock, table, grantFor } = setUp();
  for (let n = 0; n < 100; n += 1) table.apply({ op: 'issue', grant: grantFor(`t${n}`) });
  clock.advance(900_000);
  table.sweep();
  t.equal(table.size, 0);
});

t.test(
  'every holder of a network address pays for his own misses: mapped addresses apart, one /64 together',
  async (t) => {
    const { admit } = setUp();
    const exhaust = async (from: (n: number) => string) => {
      let asked = 0;
      for (let n = 0; n < 60; n += 1) {
        const refusal = await admit(`token ${from(n)} ${n}`.replaceAll(/[ :.]/g, '-'), from(n)).catch(
          (error: unknown) => error,
        );
        if ((refusal as { code?: string }).code === 'AUTH_TOKEN_UNKNOWN') asked += 1;
      }
      return asked;
    };
    t.equal(await exhaust((n) => `2001:db8::${n.toString(16)}:1`), 20, 'one /64');
    t.equal(await exhaust((n) => `2001:db8:${n + 1}::1`), 60, 'sixty of them');
    t.equal(await exhaust((n) => `::ffff:192.0.2.${n}`), 60, 'sixty IPv4 addresses, mapped');
    t.equal(await exhaust((n) => (n % 2 === 0 ? '::ffff:198.51.100.1' : '198.51.100.1')), 20, 'one, in two spellings');
  },
);

t.test('what a grant let begin is told once that it was revoked, and not after it was forgotten', async (t) => {
  const { table, admission } = setUp();
  const told: string[] = [];
  const caller = (familyId: string) => ({ userId: 'user-1', deviceId: 'device-1', familyId });
  admission.hold(caller('a'), () => told.push('a'));
  const forget = admission.hold(caller('b'), () => told.push('b'));
  admission.hold({}, () => told.push('nobody'));
  table.apply({ op: 'revoke', scope: { familyId: 'c' } });
  t.strictSame(told, []);
  table.apply({ op: 'revoke', scope: { familyId: 'a' } });
  t.strictSame(told, ['a']);
  forget();
  for (const scope of [{ familyId: 'b' }, { deviceId: 'device-1' }, { userId: 'user-1' }])
    table.apply({ op: 'revoke', scope });
  t.strictSame(told, ['a']);
});

t.test(
  'a user has as many requests at once as allowed, whatever his devices; each that ends makes room for one',
  async (t) => {
    const { admission } = setUp();
    const hold = (userId: string, deviceId: string) =>
      admission.hold({ userId, deviceId, familyId: `family of ${deviceId}` }, () => undefined);
    const first = hold('a', 'a1');
    const second = hold('a', 'a2');
    hold('a', 'a2');
    t.throws(() => hold('a', 'a3'), { code: 'RATE_LIMITED', extras: { retryAfterMs: 1000 } });
    hold('b', 'b1');
    first();
    first();
    const [again] = [hold('a', 'a1')];
    t.throws(() => hold('a', 'a1'), { code: 'RATE_LIMITED' }, 'forgetting twice made room for one');
    again();
    second();
    hold('a', 'a1');
    hold('a', 'a1');
    t.throws(() => hold('a', 'a1'), { code: 'RATE_LIMITED' }, 'one of three was there all the time');
  },
);

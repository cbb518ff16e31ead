import t from 'tap';
import { createHash } from 'node:crypto';
import { newFamily, refresh, REFRESH_TOKEN_MS } from '../../../actors/identity/refresh.ts';
import type { PresentedToken, TokenFamilies } from '../../../actors/identity/token-families.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemoryGrants } from '../../fixtures/memory-grants.ts';

const secret = Buffer.alloc(32, 5);
const presented = secret.toString('base64url');
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
const day = 86_400_000;

function setUp(more: Partial<PresentedToken> = {}) {
  const clock = createManualClock();
  const grants = createMemoryGrants();
  const token: PresentedToken = {
    tokenId: 'token',
    familyId: 'family',
    userId: 'user',
    deviceId: 'device',
    expiresAtMs: clock.now() + 1000,
    familyExpiresAtMs: clock.now() + 30 * day,
    familyRevoked: false,
    usedAtMs: undefined,
    successorUsed: false,
    deviceRevoked: false,
    mustReauthenticate: false,
    hardwareBlocked: false,
    creditsSuspended: false,
    balance: 5000,
    ...more,
  };
  const stored: { successor: Buffer | undefined } = { successor: undefined };
  const families: Pick<TokenFamilies, 'rotate'> = {
    rotate: async (hash, decide) => {
      if (!hash.equals(sha256(secret))) return undefined;
      const decision = decide(token);
      if (decision.kind === 'rotate') stored.successor = decision.successor.hash;
      return { token, decision };
    },
  };
  const pairs = {
    issue: async (owner: object, refreshToken: string, lifeMs: number) => ({
      access_token: JSON.stringify(owner),
      expires_in: 900,
      refresh_token: refreshToken,
      refresh_expires_in: lifeMs,
    }),
  };
  const deps = { families: families as TokenFamilies, pairs, grants, clock, refreshKey: Buffer.alloc(32, 9) };
  return { clock, grants, stored, refresh: (text = presented) => refresh(text, deps) };
}

t.test(
  'a rotation answers the successor that it stored, for a week and never past the end of the family',
  async (t) => {
    const { refresh, stored, grants } = setUp();
    const answer = await refresh();
    t.match(JSON.parse(answer.access_token), { userId: 'user', deviceId: 'device', familyId: 'family' });
    t.strictSame(sha256(Buffer.from(answer.refresh_token, 'base64url')), stored.successor);
    t.equal(answer.refresh_expires_in, 7 * day);
    t.strictSame(grants.operations, [{ op: 'limit', userId: 'user', requestsAtOnce: 8 }]);
    const last = setUp();
    t.equal((await setUp({ familyExpiresAtMs: last.clock.now() + day }).refresh()).refresh_expires_in, day);
  },
);

t.test('a repeat gives the same successor again', async (t) => {
  const first = await setUp().refresh();
  const { refresh, clock } = setUp({ usedAtMs: createManualClock().now() });
  clock.advance(10_000);
  t.equal((await refresh()).refresh_token, first.refresh_token);
});

t.test('what was used before ends its family everywhere', async (t) => {
  const { refresh, grants, clock } = setUp({ usedAtMs: createManualClock().now() });
  clock.advance(10_001);
  await t.rejects(refresh(), { code: 'AUTH_REFRESH_REUSED' });
  t.strictSame(grants.operations, [{ op: 'revoke', scope: { familyId: 'family' } }]);
});

t.test('what nobody was given, or cannot be a token, is refused', async (t) => {
  const { refresh } = setUp();
  const others = [Buffer.alloc(32, 6).toString('base64url'), '', `${presented}=`, presented.slice(1), `${presented}A`];
  for (const text of others) await t.rejects(refresh(text), { code: 'AUTH_REFRESH_INVALID' }, text);
});

t.test('a refusal is told by its code, and ends nothing', async (t) => {
  const { refresh, grants } = setUp({ deviceRevoked: true });
  await t.rejects(refresh(), { code: 'AUTH_DEVICE_REVOKED' });
  t.strictSame(grants.operations, []);
});

t.test('whose credits are used up is refreshed, and the gateways hear of it again', async (t) => {
  const { refresh, grants } = setUp({ creditsSuspended: true });
  await t.resolves(refresh());
  t.strictSame(grants.operations, [{ op: 'suspend', userId: 'user' }]);
});

t.test('a new family lives 90 days, its first token a week; only the hash is to be stored', async (t) => {
  const { family, refreshToken } = newFamily(1000);
  t.equal(family.tokenExpiresAtMs, 1000 + 7 * day);
  t.equal(REFRESH_TOKEN_MS, 7 * day);
  t.equal(family.familyExpiresAtMs, 1000 + 90 * day);
  const bytes = Buffer.from(refreshToken, 'base64url');
  t.equal(bytes.length, 32);
  t.strictSame(family.tokenHash, sha256(bytes));
  t.not(newFamily(1000).refreshToken, refreshToken);
});

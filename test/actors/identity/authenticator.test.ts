import t from 'tap';
import { createAuthenticator } from '../../../actors/identity/authenticator.ts';
import { openKeyRing } from '../../../actors/identity/key-ring.ts';
import { createRevocations } from '../../../actors/identity/revocations.ts';
import { createTokens } from '../../../actors/identity/tokens.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemorySigningKeys } from '../../fixtures/memory-signing-keys.ts';

async function setUp(capacity = 10) {
  const clock = createManualClock();
  const keys = await openKeyRing({ store: createMemorySigningKeys(), sealingKey: Buffer.alloc(32, 7), clock });
  const tokens = createTokens({ keys, clock });
  const revocations = createRevocations(clock);
  const authenticator = createAuthenticator({ tokens, revocations, clock, capacity });
  const issue = () => tokens.issueAccess({ userId: 'user', deviceId: 'device', familyId: 'family' }).token;
  return { clock, tokens, revocations, authenticator, issue };
}

t.test('nothing is believed before the revocations are known', async (t) => {
  const { authenticator, revocations, issue } = await setUp();
  await t.rejects(authenticator.authenticate(issue()), { code: 'UNAVAILABLE' });
  await t.rejects(authenticator.authenticate(''), { code: 'AUTH_TOKEN_MISSING' });
  revocations.caughtUp();
  t.match(await authenticator.authenticate(issue()), { userId: 'user', familyId: 'family' });
});

t.test('a token that is remembered still ends in time, and at once when it is revoked', async (t) => {
  for (const scope of [{ familyId: 'family' }, { deviceId: 'device' }, { userId: 'user' }]) {
    const { authenticator, revocations, issue, clock } = await setUp();
    revocations.caughtUp();
    const token = issue();
    await authenticator.authenticate(token);
    clock.advance(899_999);
    await t.resolves(authenticator.authenticate(token));
    clock.advance(1000);
    await t.rejects(authenticator.authenticate(token), { code: 'AUTH_TOKEN_EXPIRED' });
    const fresh = issue();
    await authenticator.authenticate(fresh);
    revocations.apply({ op: 'revoke', scope });
    await t.rejects(authenticator.authenticate(fresh), { code: 'AUTH_TOKEN_INVALID' }, JSON.stringify(scope));
  }
});

t.test('an address pays for tokens that were not seen before, good or bad; a known one costs nothing', async (t) => {
  const { authenticator, revocations, issue, clock, tokens } = await setUp();
  revocations.caughtUp();
  const good = issue();
  await authenticator.authenticate(good, '192.0.2.1');
  for (let n = 1; n < 300; n += 1) {
    await t.rejects(authenticator.authenticate(`bad-${n}`, '192.0.2.1'), { code: 'AUTH_TOKEN_INVALID' });
  }
  const limited = { code: 'RATE_LIMITED', extras: { retryAfterMs: 50 } };
  await t.rejects(authenticator.authenticate('bad-300', '192.0.2.1'), limited);
  await t.rejects(
    authenticator.authenticateBootstrap(tokens.issueBootstrap('key', undefined), '::ffff:192.0.2.1'),
    limited,
  );
  await t.resolves(authenticator.authenticate(good, '192.0.2.1'), 'whoever is known passes');
  await t.resolves(authenticator.authenticate(issue(), '192.0.2.2'), 'others are not touched');
  clock.advance(50);
  await t.rejects(authenticator.authenticate('bad-301', '192.0.2.1'), { code: 'AUTH_TOKEN_INVALID' });
  await t.rejects(authenticator.authenticate(issue(), 'no address'), { code: 'BAD_REQUEST' });
});

t.test('what is too long to be ours is not looked at', async (t) => {
  const { authenticator } = await setUp();
  await t.rejects(authenticator.authenticate('x'.repeat(4097)), { code: 'AUTH_TOKEN_INVALID' });
  await t.rejects(authenticator.authenticate('x'.repeat(4096)), { code: 'UNAVAILABLE' }, 'the next question');
});

t.test('a remembered token ends with its expiry to the millisecond', async (t) => {
  const { authenticator, revocations, tokens, clock } = await setUp();
  clock.setNow(1_763_700_000_000);
  revocations.caughtUp();
  const { token, expiresAtMs } = tokens.issueAccess({ userId: 'user', deviceId: 'device', familyId: 'family' });
  await authenticator.authenticate(token);
  clock.setNow(expiresAtMs);
  await t.rejects(authenticator.authenticate(token), { code: 'AUTH_TOKEN_EXPIRED' });
});

t.test('a bounded number of tokens is remembered; a forgotten one is paid for again', async (t) => {
  const { authenticator, revocations, issue } = await setUp(2);
  revocations.caughtUp();
  const first = issue();
  const later = [issue(), issue()];
  const address = '192.0.2.1';
  for (const token of [first, ...later]) await authenticator.authenticate(token, address);
  for (let n = 3; n < 300; n += 1) await t.rejects(authenticator.authenticate(`bad-${n}`, address));
  for (const token of later) await t.resolves(authenticator.authenticate(token, address));
  await t.rejects(authenticator.authenticate(first, address), { code: 'RATE_LIMITED' });
});

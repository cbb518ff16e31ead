import t from 'tap';
import { sourceAddress } from '../../../actors/bounds/source-address.ts';
import { createAuthenticator } from '../../../actors/identity/authenticator.ts';
import { openKeyRing } from '../../../actors/identity/key-ring.ts';
import { createRevocations } from '../../../actors/identity/revocations.ts';
import { createTokens } from '../../../actors/identity/tokens.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemorySigningKeys } from '../../fixtures/memory-signing-keys.ts';

const HOME = sourceAddress('192.0.2.1');

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
  await t.rejects(authenticator.authenticate(issue(), HOME), { code: 'UNAVAILABLE' });
  await t.rejects(authenticator.authenticate('', HOME), { code: 'AUTH_TOKEN_MISSING' });
  revocations.caughtUp();
  t.match(await authenticator.authenticate(issue(), HOME), { userId: 'user', familyId: 'family' });
});

t.test('a token that is remembered still ends in time, and at once when it is revoked', async (t) => {
  for (const scope of [{ familyId: 'family' }, { deviceId: 'device' }, { userId: 'user' }]) {
    const { authenticator, revocations, issue, clock } = await setUp();
    revocations.caughtUp();
    const token = issue();
    await authenticator.authenticate(token, HOME);
    clock.advance(899_999);
    await t.resolves(authenticator.authenticate(token, HOME));
    clock.advance(1000);
    await t.rejects(authenticator.authenticate(token, HOME), { code: 'AUTH_TOKEN_EXPIRED' });
    const fresh = issue();
    await authenticator.authenticate(fresh, HOME);
    revocations.apply({ op: 'revoke', scope });
    await t.rejects(authenticator.authenticate(fresh, HOME), { code: 'AUTH_TOKEN_INVALID' }, JSON.stringify(scope));
  }
});

t.test('an address pays for tokens that were not seen before, good or bad; a known one costs nothing', async (t) => {
  const { authenticator, revocations, issue, clock, tokens } = await setUp();
  revocations.caughtUp();
  const good = issue();
  await authenticator.authenticate(good, HOME);
  for (let n = 1; n < 300; n += 1) {
    await t.rejects(authenticator.authenticate(`bad-${n}`, HOME), { code: 'AUTH_TOKEN_INVALID' });
  }
  const limited = { code: 'RATE_LIMITED', extras: { retryAfterMs: 50 } };
  await t.rejects(authenticator.authenticate('bad-300', HOME), limited);
  await t.rejects(
    authenticator.authenticateBootstrap(tokens.issueBootstrap('key', undefined), sourceAddress('::ffff:192.0.2.1')),
    limited,
  );
  await t.resolves(authenticator.authenticate(good, HOME), 'whoever is known passes');
  await t.resolves(authenticator.authenticate(issue(), sourceAddress('192.0.2.2')), 'others are not touched');
  clock.advance(50);
  await t.rejects(authenticator.authenticate('bad-301', HOME), { code: 'AUTH_TOKEN_INVALID' });
});

t.test('what is too long to be ours is not looked at', async (t) => {
  const { authenticator } = await setUp();
  await t.rejects(authenticator.authenticate('x'.repeat(4097), HOME), { code: 'AUTH_TOKEN_INVALID' });
  await t.rejects(authenticator.authenticate('x'.repeat(4096), HOME), { code: 'UNAVAILABLE' }, 'the next question');
});

t.test('a remembered token ends with its expiry to the millisecond', async (t) => {
  const { authenticator, revocations, tokens, clock } = await setUp();
  clock.setNow(1_763_700_000_000);
  revocations.caughtUp();
  const { token, expiresAtMs } = tokens.issueAccess({ userId: 'user', deviceId: 'device', familyId: 'family' });
  await authenticator.authenticate(token, HOME);
  clock.setNow(expiresAtMs);
  await t.rejects(authenticator.authenticate(token, HOME), { code: 'AUTH_TOKEN_EXPIRED' });
});

t.test('a bounded number of tokens is remembered; a forgotten one is paid for again', async (t) => {
  const { authenticator, revocations, issue } = await setUp(2);
  revocations.caughtUp();
  const first = issue();
  const later = [issue(), issue()];
  for (const token of [first, ...later]) await authenticator.authenticate(token, HOME);
  for (let n = 3; n < 300; n += 1) await t.rejects(authenticator.authenticate(`bad-${n}`, HOME));
  for (const token of later) await t.resolves(authenticator.authenticate(token, HOME));
  await t.rejects(authenticator.authenticate(first, HOME), { code: 'RATE_LIMITED' });
});

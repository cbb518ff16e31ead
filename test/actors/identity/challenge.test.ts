import t from 'tap';
import { sourceAddress } from '../../../actors/bounds/source-address.ts';
import { answerChallenge, issueChallenge } from '../../../actors/identity/challenge.ts';
import { openKeyRing } from '../../../actors/identity/key-ring.ts';
import { createKeyScreen } from '../../../actors/crypto/public-key.ts';
import { deviceAuthText } from '../../../actors/crypto/signed-texts.ts';
import { createTokens } from '../../../actors/identity/tokens.ts';
import { createIdentityDecisions } from '../../fixtures/identity-decisions.ts';
import { createMemorySigningKeys } from '../../fixtures/memory-signing-keys.ts';

async function setUp() {
  const world = createIdentityDecisions();
  const { clock, publicKey } = world;
  const keys = await openKeyRing({ store: createMemorySigningKeys(), sealingKey: Buffer.alloc(32, 7), clock });
  const deps = { ...world, screen: createKeyScreen(), tokens: createTokens({ keys, clock }) };
  const address = '192.0.2.1';
  const ask = async (from = address) => {
    const { challenge_id: challengeId, nonce } = await issueChallenge(
      { publicKey, address: sourceAddress(from) },
      deps,
    );
    return { challengeId, signature: world.signed(deviceAuthText({ challengeId, nonce, publicKey })) };
  };
  const answer = (given: { challengeId: string; signature: string }, from = address) =>
    answerChallenge({ ...given, address: sourceAddress(from) }, deps);
  return { ...deps, ask, answer };
}

t.test('a right answer gives a token for the key, tells whether it has a device, and works once', async (t) => {
  const { ask, answer, tokens, publicKey, state } = await setUp();
  const given = await ask();
  const verified = await answer(given);
  t.match(verified, { device_registered: true, next_sequence: 1, expires_in: 300 });
  t.equal(await tokens.verifyBootstrap(verified.bootstrap_token), publicKey);
  t.strictSame(state.did, ['authenticated 0']);
  await t.rejects(answer(given), { code: 'AUTH_CHALLENGE_EXPIRED' });
  state.device = undefined;
  t.match(await answer(await ask()), { device_registered: false, next_sequence: 1 });
});

t.test('a wrong answer uses the challenge up', async (t) => {
  const { ask, answer } = await setUp();
  const first = await ask();
  const second = await ask();
  await t.rejects(answer({ ...first, signature: second.signature }), { code: 'AUTH_SIGNATURE_INVALID' });
  await t.rejects(answer(first), { code: 'AUTH_CHALLENGE_EXPIRED' });
  await t.rejects(answer({ ...second, signature: `${second.signature}=` }), { code: 'AUTH_SIGNATURE_INVALID' });
  await t.rejects(answer(second), { code: 'AUTH_CHALLENGE_EXPIRED' });
});

t.test('a challenge lives five minutes', async (t) => {
  const { ask, answer, clock } = await setUp();
  const given = await ask();
  clock.advance(300_000);
  await t.rejects(answer(given), { code: 'AUTH_CHALLENGE_EXPIRED' });
  const inTime = await ask();
  clock.advance(299_999);
  await t.resolves(answer(inTime));
});

t.test('a revoked device gets no token, although its signature holds', async (t) => {
  const { ask, answer, state, device } = await setUp();
  state.device = { ...device, revoked: true };
  await t.rejects(answer(await ask()), { code: 'AUTH_DEVICE_REVOKED' });
  t.strictSame(state.did, []);
  const given = await ask();
  await t.rejects(
    answer({ ...given, signature: (await ask()).signature }),
    { code: 'AUTH_SIGNATURE_INVALID' },
    'told to its owner only',
  );
});

t.test('challenges and answers are counted by the /64 of who asks', async (t) => {
  const { ask, answer } = await setUp();
  const wrong = { challengeId: 'unknown', signature: '' };
  const limited = { code: 'RATE_LIMITED', extras: { retryAfterMs: Number } };
  for (let n = 0; n < 120; n += 1) {
    await t.rejects(answer(wrong, `2001:db8::${n.toString(16)}`), { code: 'AUTH_CHALLENGE_EXPIRED' });
  }
  await t.rejects(answer(wrong, '2001:db8::ffff'), limited);
  await t.rejects(answer(wrong, '2001:db8:0:1::1'), { code: 'AUTH_CHALLENGE_EXPIRED' });
  for (let n = 0; n < 10; n += 1) await ask(`198.51.100.${n}`);
  await t.rejects(ask('198.51.100.99'), limited, 'one key, from wherever');
});

t.test('150 challenges from one /64 do not all pass', async (t) => {
  const { limiter, ...deps } = await setUp();
  const { generateKeyPair } = await import('../../../actors/crypto/key-pair.ts');
  let refused = 0;
  for (let n = 0; n < 150; n += 1) {
    const publicKey = generateKeyPair().publicKey.toString('base64url');
    const address = sourceAddress(`2001:db8:1:2:${n.toString(16)}::1`);
    await issueChallenge({ publicKey, address }, { ...deps, limiter }).catch(() => (refused += 1));
  }
  t.equal(refused, 30);
});

t.test('a challenge says when it ends, and its nonce has 256 bits that nobody saw before', async (t) => {
  const { clock, publicKey, ...deps } = await setUp();
  const issue = () => issueChallenge({ publicKey, address: sourceAddress('192.0.2.1') }, { ...deps, clock });
  const { nonce, expires_at, server_time } = await issue();
  t.equal(Buffer.from(nonce, 'base64url').length, 32);
  t.equal(server_time, new Date(clock.now()).toISOString());
  t.equal(expires_at, new Date(clock.now() + 300_000).toISOString());
  t.not((await issue()).nonce, nonce);
});

t.test('a key that no device could hold gets no challenge', async (t) => {
  const { publicKey, ...deps } = await setUp();
  const smallOrder = `AQ${'A'.repeat(41)}`;
  for (const key of [smallOrder, '', `${publicKey}=`]) {
    await t.rejects(
      issueChallenge({ publicKey: key, address: sourceAddress('192.0.2.1') }, deps),
      { code: 'AUTH_KEY_INVALID' },
      key,
    );
  }
});

t.test('a device goes on above the numbers that it used', async (t) => {
  const { ask, answer, state, device } = await setUp();
  state.device = { ...device, sequenceHigh: 7 };
  t.match(await answer(await ask()), { next_sequence: 8 });
  t.strictSame(state.did, ['authenticated 7']);
});

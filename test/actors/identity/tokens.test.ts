import t from 'tap';
import { createPublicKey } from 'node:crypto';
import { SignJWT, type JWTHeaderParameters } from 'jose';
import { generateKeyPair } from '../../../actors/crypto/key-pair.ts';
import { openKeyRing, generateSigningKey } from '../../../actors/identity/key-ring.ts';
import { createTokens } from '../../../actors/identity/tokens.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemorySigningKeys } from '../../fixtures/memory-signing-keys.ts';

const OWNER = { userId: 'user', deviceId: 'device', familyId: 'family' };
const SEALING = Buffer.alloc(32, 7);

async function setUp() {
  const clock = createManualClock();
  const store = createMemorySigningKeys();
  const keys = await openKeyRing({ store, sealingKey: SEALING, clock });
  return { clock, store, keys, tokens: createTokens({ keys, clock }) };
}

const seconds = (clock: { now(): number }) => Math.floor(clock.now() / 1000);
const invalid = { code: 'AUTH_TOKEN_INVALID', status: 401 };

t.test('an access token says whom it speaks for, until it expires to the second', async (t) => {
  const { clock, tokens } = await setUp();
  const { token, expiresAtMs } = tokens.issueAccess(OWNER);
  t.match(await tokens.verifyAccess(token), { ...OWNER, expiresAtMs });
  clock.advance(899_000);
  await t.resolves(tokens.verifyAccess(token));
  clock.advance(1_000);
  await t.rejects(tokens.verifyAccess(token), { code: 'AUTH_TOKEN_EXPIRED' });
});

t.test('the two kinds of token do not pass for each other', async (t) => {
  const { tokens } = await setUp();
  const bootstrap = tokens.issueBootstrap('key', undefined);
  t.equal(await tokens.verifyBootstrap(bootstrap), 'key');
  await t.rejects(tokens.verifyAccess(bootstrap), invalid);
  await t.rejects(tokens.verifyBootstrap(tokens.issueAccess(OWNER).token), invalid);
});

t.test('nothing in a token that we did not sign is believed', async (t) => {
  const { clock, tokens, keys } = await setUp();
  const { kid, privateKey } = keys.current();
  const now = seconds(clock);
  const claims = { iss: 'vello', aud: 'vello', sub: 'u', did: 'd', fid: 'f', jti: 'j', iat: now, exp: now + 900 };
  const sign = (payload: object, header: Partial<JWTHeaderParameters> = {}, key = privateKey) =>
    new SignJWT({ ...payload }).setProtectedHeader({ alg: 'Ed25519', typ: 'at+jwt', kid, ...header }).sign(key);
  await t.resolves(tokens.verifyAccess(await sign(claims)), 'the forger below starts from one that holds');

  const stranger = generateKeyPair();
  const strangerJwk = createPublicKey(stranger.privateKey).export({ format: 'jwk' });
  const forgeries: Record<string, string> = {
    'a foreign key under our kid': await sign(claims, {}, stranger.privateKey),
    'a foreign kid': await sign(claims, { kid: 'foreign' }),
    'no kid': await sign(claims, { kid: undefined as never }),
    'a key in the header': await sign(claims, { jwk: strangerJwk, kid: undefined as never }, stranger.privateKey),
    'a key by address': await sign(claims, { jku: 'http://127.0.0.1/jwks', kid: 'x' }, stranger.privateKey),
    'another type': await sign(claims, { typ: 'JWT' }),
    'no type': await sign(claims, { typ: undefined as never }),
    'another audience': await sign({ ...claims, aud: 'vello:devices' }),
    'another issuer': await sign({ ...claims, iss: 'mallory' }),
  };
  for (const missing of Object.keys(claims)) {
    const rest = Object.fromEntries(Object.entries(claims).filter(([name]) => name !== missing));
    forgeries[`no ${missing}`] = await sign(rest);
  }
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  forgeries['alg none'] = `${encode({ alg: 'none', typ: 'at+jwt', kid })}.${encode(claims)}.`;
  const publicPem = createPublicKey({ key: keys.jwks().keys[0] as never, format: 'jwk' }).export({
    type: 'spki',
    format: 'pem',
  });
  for (const secret of [publicPem, keys.jwks().keys[0]?.x ?? '']) {
    forgeries[`HS256 with our public key (${String(secret).length})`] = await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid })
      .sign(Buffer.from(secret));
  }
  const good = await sign(claims);
  forgeries['a changed claim'] = [good.split('.')[0], encode({ ...claims, sub: 'admin' }), good.split('.')[2]].join(
    '.',
  );
  for (const text of ['', 'x', 'a.b', 'a.b.c', 'a.b.c.d', `${good}.`, good.slice(0, -2)]) forgeries[`"${text}"`] = text;
  for (const [name, token] of Object.entries(forgeries)) await t.rejects(tokens.verifyAccess(token), invalid, name);
});

t.test('keys rotate without downtime: the next one is published first, the last one verifies on', async (t) => {
  const { clock, store, keys, tokens } = await setUp();
  const beside = await openKeyRing({ store, sealingKey: SEALING, clock });
  const before = keys.current().kid;
  const { token } = tokens.issueAccess(OWNER);
  t.equal(beside.current().kid, before, 'two processes agree');
  const next = keys.jwks().keys[1]?.kid;

  store.rotate(generateSigningKey(SEALING), clock.now());
  await keys.reload();
  t.equal(keys.current().kid, next);
  const fresh = tokens.issueAccess(OWNER);
  await t.resolves(
    createTokens({ keys: beside, clock }).verifyAccess(fresh.token),
    'by a process that has not heard yet',
  );
  await t.resolves(tokens.verifyAccess(token));
  clock.advance(3_600_001);
  await keys.reload();
  t.notOk(
    keys.jwks().keys.some((key) => key.kid === before),
    'a retired key leaves after an hour',
  );
});

t.test('signing keys sealed under another installation key are refused by name', async (t) => {
  const { store, clock } = await setUp();
  await t.rejects(openKeyRing({ store, sealingKey: Buffer.alloc(32, 8), clock }), { code: 'SECRET_KEY_WRONG' });
});

t.test('a token has one spelling: changed spare bits, padding and blanks are refused', async (t) => {
  const { tokens } = await setUp();
  const { token } = tokens.issueAccess(OWNER);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const accepted: string[] = [];
  for (const last of alphabet) {
    const spelled = token.slice(0, -1) + last;
    await tokens.verifyAccess(spelled).then(
      () => accepted.push(spelled),
      () => undefined,
    );
  }
  t.strictSame(accepted, [token]);
  const [header = '', claims = '', signature = ''] = token.split('.');
  for (const spelled of [
    `${token}=`,
    `${token}==`,
    ` ${token}`,
    `${header}.${claims}=.${signature}`,
    `${token}.`,
    `${token}\n`,
  ]) {
    await t.rejects(tokens.verifyAccess(spelled), invalid, JSON.stringify(spelled.slice(-6)));
  }
});

t.test('no token lives longer than its kind may, whatever it says of itself', async (t) => {
  const { clock, tokens, keys } = await setUp();
  const { kid, privateKey } = keys.current();
  const sign = (iat: number, exp: number) =>
    new SignJWT({ iss: 'vello', aud: 'vello', sub: 'u', did: 'd', fid: 'f', jti: 'j', iat, exp })
      .setProtectedHeader({ alg: 'Ed25519', typ: 'at+jwt', kid })
      .sign(privateKey);
  const now = seconds(clock);
  const eternal = await sign(now, now + 1_000_000);
  t.equal((await tokens.verifyAccess(eternal)).expiresAtMs, (now + 900) * 1000);
  await t.rejects(tokens.verifyAccess(await sign(now - 900, now + 1000)), { code: 'AUTH_TOKEN_EXPIRED' });
  await t.resolves(tokens.verifyAccess(await sign(now + 60, now + 900)), 'another host may be ahead');
  await t.rejects(tokens.verifyAccess(await sign(now + 61, now + 900)), invalid, 'but not by hours');
  clock.advance(900_000);
  await t.rejects(tokens.verifyAccess(eternal), { code: 'AUTH_TOKEN_EXPIRED' });
});

t.test('header and claims are what the contract says, and no token is like another', async (t) => {
  const { tokens, clock, keys } = await setUp();
  const read = (token: string) =>
    token
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
  const { kid } = keys.current();
  const now = seconds(clock);
  const [accessHeader, access] = read(tokens.issueAccess(OWNER).token);
  t.strictSame(accessHeader, { alg: 'Ed25519', typ: 'at+jwt', kid });
  t.match(access, { iss: 'vello', aud: 'vello', sub: 'user', did: 'device', fid: 'family', iat: now, exp: now + 900 });
  const [bootstrapHeader, bootstrap] = read(tokens.issueBootstrap('key', 'device'));
  t.strictSame(bootstrapHeader, { alg: 'Ed25519', typ: 'vello-bootstrap+jwt', kid });
  t.match(bootstrap, { iss: 'vello', aud: 'vello:devices', sub: 'key', did: 'device', iat: now, exp: now + 300 });
  t.equal(read(tokens.issueBootstrap('key', undefined))[1]?.['did'], 'unregistered');
  t.not(access?.['jti'], read(tokens.issueAccess(OWNER).token)[1]?.['jti']);
});

t.test('a bootstrap token lives five minutes', async (t) => {
  const { tokens, clock } = await setUp();
  const token = tokens.issueBootstrap('key', undefined);
  clock.advance(299_000);
  t.equal(await tokens.verifyBootstrap(token), 'key');
  clock.advance(1000);
  await t.rejects(tokens.verifyBootstrap(token), { code: 'AUTH_TOKEN_EXPIRED' });
});

import t from 'tap';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { generateKeyPair } from '../../actors/crypto/key-pair.ts';
import { deviceAuthText } from '../../actors/crypto/signed-texts.ts';
import { GRANT_KEYS } from '../../transports/redis/grants/grant-entry.ts';
import {
  DEVICE,
  makeDesktop,
  prove,
  register,
  signBy,
  startIdentityServer,
  type Registered,
} from '../fixtures/identity-server.ts';

t.test('a new desktop gets an account, 5000 credits and tokens; the same key again gets tokens only', async (t) => {
  const server = await startIdentityServer(t);
  const desktop = makeDesktop();
  const first = await register(server, desktop);
  t.equal(first.status, 201);
  t.match(first.body, { credits: { granted: 5000, balance: 5000 }, expires_in: 900, refresh_expires_in: 604800 });
  const again = await register(server, desktop);
  t.equal(again.status, 200);
  t.match(again.body, {
    user_id: first.body.user_id,
    device_id: first.body.device_id,
    credits: { granted: 0, balance: 5000 },
  });
  t.not(again.body.access_token, first.body.access_token);
  t.equal((await prove(server, desktop)).registered, true);

  const header = decodeProtectedHeader(first.body.access_token);
  t.match(header, { alg: 'Ed25519', typ: 'at+jwt', kid: String });
  const claims = decodeJwt(first.body.access_token);
  t.match(claims, { iss: 'vello', aud: 'vello', sub: first.body.user_id, did: first.body.device_id, jti: String });
  t.equal((claims.exp ?? 0) - (claims.iat ?? 0), 900);
  const jwks = await server.call('GET', '/.well-known/jwks.json');
  const keys = jwks.body['keys'] as Record<string, string>[];
  t.equal(keys.length, 2, 'the current key and the next');
  t.equal(keys[0]?.['kid'], header.kid);
  t.notOk(keys.some((key) => 'd' in key));
});

t.test('a challenge is consumed by its first answer, right or wrong, even when a hundred come at once', async (t) => {
  const server = await startIdentityServer(t);
  const desktop = makeDesktop();
  const ask = async () => {
    const { body } = await server.call('POST', '/api/auth/ed25519/challenge', {
      body: { public_key: desktop.publicKey },
    });
    const { challenge_id: challengeId, nonce } = body as { challenge_id: string; nonce: string };
    return {
      challengeId,
      signature: signBy(desktop, deviceAuthText({ challengeId, nonce, publicKey: desktop.publicKey })),
    };
  };
  const answer = (challenge_id: string, signature: string) =>
    server.call('POST', '/api/auth/ed25519/verify', { body: { challenge_id, signature } });

  const { challengeId, signature } = await ask();
  const many = await Promise.all(Array.from({ length: 100 }, () => answer(challengeId, signature)));
  t.equal(many.filter((reply) => reply.status === 200).length, 1);
  t.equal(many.filter((reply) => reply.body['code'] === 'AUTH_CHALLENGE_EXPIRED').length, 99);

  const second = await ask();
  const wrong = await answer(second.challengeId, signature);
  t.match(wrong, { status: 401, body: { code: 'AUTH_SIGNATURE_INVALID' } });
  t.match(await answer(second.challengeId, second.signature), {
    status: 401,
    body: { code: 'AUTH_CHALLENGE_EXPIRED' },
  });
});

t.test('a bootstrap token opens registration and nothing else, an access token opens no registration', async (t) => {
  const server = await startIdentityServer(t);
  const desktop = makeDesktop();
  const { token } = await prove(server, desktop);
  t.match(await server.call('POST', '/api/auth/logout', { token }), {
    status: 401,
    body: { code: 'AUTH_TOKEN_INVALID' },
  });
  const { access_token } = (await register(server, desktop)).body;
  const body = { fingerprints: desktop.fingerprints, device: DEVICE };
  const refused = await server.call('POST', '/api/devices/register', { token: access_token, body });
  t.match(refused, { status: 401, body: { code: 'AUTH_TOKEN_INVALID' } });
  t.match(await server.call('POST', '/api/devices/register', { body }), {
    status: 401,
    body: { code: 'AUTH_TOKEN_MISSING' },
  });
});

t.test('refresh works once; a lost answer is given again; any other reuse ends the family everywhere', async (t) => {
  const server = await startIdentityServer(t);
  const beside = await startIdentityServer(t, { beside: server });
  const first = (await register(server, makeDesktop())).body;
  const refresh = (refresh_token: string, at = server) =>
    at.call('POST', '/api/auth/refresh', { body: { refresh_token } });

  const racing = await Promise.all(
    Array.from({ length: 50 }, (_, index) => refresh(first.refresh_token, index % 2 === 0 ? server : beside)),
  );
  t.ok(racing.every((reply) => reply.status === 200));
  const successors = new Set(racing.map((reply) => reply.body['refresh_token']));
  t.equal(successors.size, 1, 'fifty answers, one successor');
  const [rows] = await server.database.admin`select count(*)::int as n from refresh_tokens`;
  t.equal(rows?.['n'], 2);

  const second = racing[0]?.body as unknown as Registered;
  const third = await refresh(second.refresh_token);
  t.equal(third.status, 200);
  const stolen = await refresh(first.refresh_token);
  t.match(stolen, { status: 401, body: { code: 'AUTH_REFRESH_REUSED' } }, 'a grandparent has no grace');
  const last = third.body as unknown as Registered;
  t.match(await refresh(last.refresh_token), { status: 401, body: { code: 'AUTH_REFRESH_INVALID' } });

  const until = Date.now() + 1000;
  for (const at of [server, beside]) {
    let reply = await at.call('POST', '/api/auth/logout', { token: last.access_token });
    while (reply.status !== 401 && Date.now() < until)
      reply = await at.call('POST', '/api/auth/logout', { token: last.access_token });
    t.match(reply, { status: 401, body: { code: 'AUTH_TOKEN_INVALID' } }, 'its access tokens end within a second');
  }
  const events = await server.database.admin`select kind from auth_events where kind = 'refresh_reuse'`;
  t.equal(events.length, 1);
});

t.test('logout ends the session: neither token works again', async (t) => {
  const server = await startIdentityServer(t);
  const { access_token: token, refresh_token } = (await register(server, makeDesktop())).body;
  t.equal((await server.call('POST', '/api/auth/logout', { token })).status, 204);
  t.match(await server.call('POST', '/api/auth/refresh', { body: { refresh_token } }), {
    status: 401,
    body: { code: 'AUTH_REFRESH_INVALID' },
  });
  const [session] = await server.database.admin`select end_reason from sessions`;
  t.equal(session?.['end_reason'], 'logout');
});

t.test('a key nobody may use is refused before a challenge is made for it', async (t) => {
  const server = await startIdentityServer(t);
  const challenge = (public_key: unknown) =>
    server.call('POST', '/api/auth/ed25519/challenge', { body: { public_key } });
  const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]).toString('base64url');
  t.match(await challenge(identity), { status: 422, body: { code: 'AUTH_KEY_INVALID' } });
  t.match(await challenge('AAAA'), {
    status: 422,
    body: { code: 'INVALID_FIELDS', errors: [{ field: '/public_key' }] },
  });
  const key = generateKeyPair().publicKey.toString('base64url');
  const replies = [];
  for (let i = 0; i < 12; i += 1) replies.push(await challenge(key));
  const last = replies.at(-1);
  t.match(last, { status: 429, body: { code: 'RATE_LIMITED' } });
  t.ok(Number(last?.headers.get('retry-after')) >= 1);
});

t.test('a refresh tells the gateway again that a user has nothing left, should Redis have forgotten it', async (t) => {
  const server = await startIdentityServer(t);
  const first = (await register(server, makeDesktop())).body;
  await server.database.admin`update users_credits set suspended_at = now() where user_id = ${first.user_id}`;
  await server.redisCommand('FLUSHALL');
  const { status } = await server.call('POST', '/api/auth/refresh', { body: { refresh_token: first.refresh_token } });
  t.equal(status, 200, 'the owner may still sign in, read and top up');
  t.equal(await server.redisCommand('SISMEMBER', GRANT_KEYS.suspended, first.user_id), 1);
});

/** Drives sign-in and its refusals with values that are known here, and looks for each of them in everything that comes out or is kept. */
import t from 'tap';
import { deviceAuthText } from '../../actors/crypto/signed-texts.ts';
import { makeDesktop, prove, register, signBy, startIdentityServer, DEVICE } from '../fixtures/identity-server.ts';

t.test('no token, signature, private key or raw fingerprint is logged, told in an error or stored', async (t) => {
  const server = await startIdentityServer(t);
  const { admin, secrets } = server.database;
  const desktop = makeDesktop();
  const told: string[] = [];
  const call: typeof server.call = async (...request) => {
    const reply = await server.call(...request);
    if (reply.status >= 400) told.push(JSON.stringify([...reply.headers]), JSON.stringify(reply.body));
    return reply;
  };
  const challenge = await call('POST', '/api/auth/ed25519/challenge', { body: { public_key: desktop.publicKey } });
  const { challenge_id, nonce } = challenge.body as { challenge_id: string; nonce: string };
  const text = deviceAuthText({ challengeId: challenge_id, nonce, publicKey: desktop.publicKey });
  const signature = signBy(desktop, text);
  await call('POST', '/api/auth/ed25519/verify', { body: { challenge_id, signature: signature.replace(/^./, 'A') } });
  await call('POST', '/api/auth/ed25519/verify', { body: { challenge_id, signature } });

  const { token: bootstrap } = await prove({ call }, desktop);
  const first = (await register({ call }, desktop)).body;
  const broken = `${first.access_token.slice(0, -6)}AAAAAA`;
  const stray = {
    ...desktop.fingerprints,
    machine_id: 'raw-machine-id-in-a-bad-request',
    unknown: 'raw-unknown-field',
  };
  await call('POST', '/api/devices/register', { token: bootstrap, body: { fingerprints: stray, device: DEVICE } });
  await call('POST', '/api/devices/register', { token: first.access_token, body: {} });
  await call('POST', '/api/auth/logout', { token: broken });
  await call('POST', '/api/auth/refresh', { body: { refresh_token: first.refresh_token } });
  await call('POST', '/api/auth/refresh', { body: { refresh_token: `${first.refresh_token}x` } });
  await call('POST', '/api/auth/logout', { token: first.access_token });
  await call('POST', '/api/auth/refresh', { body: { refresh_token: first.refresh_token } });
  const service = { authorization: `Ed25519 1750000000:${signature}`, 'x-vello-service': 'collector' };
  await server.surface.guards
    .service({
      method: 'POST',
      target: '/x',
      header: (name: string) => (service as Record<string, string>)[name] ?? '',
    } as never)
    .catch((error: unknown) => told.push(JSON.stringify(error, withErrors)));

  const logged = [...server.log.lines, ...server.identityLog.lines]
    .map((line) => JSON.stringify(line, withErrors))
    .join('\n');
  const tables = await admin<{ name: string }[]>`select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`;
  const stored = [];
  for (const { name } of tables)
    stored.push(JSON.stringify(await admin`select to_jsonb(x) as row from ${admin(name)} x`));
  const keys = (await server.redisCommand('KEYS', '*')) as string[];
  const places = { logs: logged, answers: told.join('\n'), tables: stored.join('\n'), 'Redis keys': keys.join('\n') };

  const privateKey = desktop.privateKey.export({ format: 'jwk' }).d ?? '';
  const known: Record<string, string> = {
    'an access token': first.access_token,
    'the signature of an access token': first.access_token.split('.')[2] ?? '',
    'a broken token': broken,
    'a bootstrap token': bootstrap,
    'a refresh token': first.refresh_token,
    'a refresh token in hexadecimal': Buffer.from(first.refresh_token, 'base64url').toString('hex'),
    'a signature': signature,
    'a private key': privateKey,
    'a refused fingerprint': 'raw-machine-id-in-a-bad-request',
    'an unknown field': 'raw-unknown-field',
    'the pepper': secrets.fingerprintPepper.toString('hex'),
    'a role password': secrets.rolePasswords.vello_service,
    ...Object.fromEntries(Object.entries(desktop.fingerprints).filter(([name]) => name !== 'cpu_id')),
  };
  for (const [place, content] of Object.entries(places)) {
    t.ok(content.length > 100, `${place} hold something to look through`);
    for (const [what, value] of Object.entries(known)) t.notOk(content.includes(value), `${place}: ${what}`);
  }
});

/** As a logger writes them: what was thrown, what caused it, and whatever hangs on either. */
function withErrors(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return {
    ...Object.fromEntries(Object.entries(value)),
    message: value.message,
    stack: value.stack,
    cause: value.cause,
  };
}

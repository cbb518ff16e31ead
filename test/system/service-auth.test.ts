import t from 'tap';
import { createHash, sign, type KeyObject } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { generateKeyPair } from '../../actors/crypto/key-pair.ts';
import { serviceRequestText } from '../../actors/crypto/signed-texts.ts';
import { startIdentityServer, type IdentityServer } from '../fixtures/identity-server.ts';

const server = await startIdentityServer(t);
const beside = await startIdentityServer(t, { beside: server });
const { admin, operator } = server.database;

interface Signing {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  /** Service clock minus server clock. */
  readonly offSeconds?: number;
}

let bodies = 0;
const uniqueBody = () => `{"events":${(bodies += 1)}}`;

function headersFor(serviceId: string, key: KeyObject, signing: Signing) {
  const { method = 'POST', path = '/test/service', body = '', offSeconds = 0 } = signing;
  const timestamp = Math.floor(Date.now() / 1000) + offSeconds;
  const bodySha256 = createHash('sha256').update(body).digest('hex');
  const text = serviceRequestText({ serviceId, timestamp, method, path, bodySha256 });
  const authorization = `Ed25519 ${timestamp}:${sign(null, text, key).toString('base64url')}`;
  return { authorization, 'x-vello-service': serviceId };
}

/** The guard itself, as every route with service auth calls it. */
async function present(at: IdentityServer, headers: Record<string, string>, signing: Signing) {
  const { method = 'POST', path = '/test/service', body = '' } = signing;
  const request = { method, target: path, header: (name: string) => headers[name.toLowerCase()] ?? '' };
  const prove = await at.surface.guards.service(request as never);
  return prove(Buffer.from(body));
}

async function makeService(serviceId: string) {
  const { publicKey, privateKey } = generateKeyPair();
  const keyId = uuidv7();
  await operator`insert into service_accounts (id, description) values (${serviceId}, 'test') on conflict do nothing`;
  await operator`insert into service_keys (id, service_id, public_key) values (${keyId}, ${serviceId}, ${publicKey})`;
  return { serviceId, privateKey, keyId };
}

t.test('a service is taken 4:59 off, either way, and refused with the time 5:01 off', async (t) => {
  const { serviceId, privateKey } = await makeService('drifting');
  // What was signed before the memory of signatures began is refused too; here it began long ago.
  await server.redisCommand('HSET', 'vello:service-signatures', 'since', '0');
  for (const offSeconds of [299, -299, 0]) {
    const signing = { body: uniqueBody(), offSeconds };
    t.match(await present(server, headersFor(serviceId, privateKey, signing), signing), { serviceId });
  }
  for (const offSeconds of [301, -301]) {
    const signing = { body: uniqueBody(), offSeconds };
    await t.rejects(present(server, headersFor(serviceId, privateKey, signing), signing), {
      code: 'SERVICE_CLOCK_SKEW',
      status: 401,
    });
  }
});

t.test('a signature is taken once in the whole cluster', async (t) => {
  const { serviceId, privateKey } = await makeService('repeating');
  const signing = { body: uniqueBody() };
  const headers = headersFor(serviceId, privateKey, signing);
  const tries = Array.from({ length: 20 }, (_, index) => present(index % 2 === 0 ? server : beside, headers, signing));
  const results = await Promise.allSettled(tries);
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const result of results) {
    if (result.status === 'rejected') t.match(result.reason, { code: 'SERVICE_SIGNATURE_REPLAYED' });
  }
});

t.test('the signature covers service, method, path, query and body', async (t) => {
  const { serviceId, privateKey } = await makeService('precise');
  const other = await makeService('another');
  const body = uniqueBody();
  const headers = headersFor(serviceId, privateKey, { body });
  const refused = { code: 'SERVICE_AUTH_INVALID', status: 401 };
  await t.rejects(present(server, headers, { body: `${body} ` }), refused);
  await t.rejects(present(server, headers, { body, method: 'PUT' }), refused);
  await t.rejects(present(server, headers, { body, path: '/test/service?a=1' }), refused);
  await t.rejects(present(server, { ...headers, 'x-vello-service': other.serviceId }, { body }), refused);
  await t.rejects(present(server, { ...headers, 'x-vello-service': 'nobody' }, { body }), refused);
  for (const authorization of ['', 'Bearer x', 'Ed25519 1:x', headers.authorization.slice(0, -1)]) {
    await t.rejects(present(server, { ...headers, authorization }, { body }), refused);
  }
  t.match(await present(server, headers, { body }), { serviceId }, 'a refused try does not use it up');
});

t.test('a revoked key, a disabled account and an expired key stop working at once on every process', async (t) => {
  const ways = {
    revoked: (keyId: string) => operator`update service_keys set revoked_at = now() where id = ${keyId}`,
    expired: (keyId: string) => operator`update service_keys set expires_at = now() where id = ${keyId}`,
    disabled: (_: string, id: string) => operator`update service_accounts set disabled_at = now() where id = ${id}`,
  };
  for (const [way, end] of Object.entries(ways)) {
    const { serviceId, privateKey, keyId } = await makeService(`ended-${way}`);
    const call = (at: IdentityServer) => {
      const signing = { body: uniqueBody() };
      return present(at, headersFor(serviceId, privateKey, signing), signing);
    };
    for (const at of [server, beside]) await t.resolves(call(at));
    await end(keyId, serviceId);
    const endedAtMs = Date.now();
    for (const at of [server, beside]) {
      let refused: unknown;
      while (refused === undefined && Date.now() - endedAtMs < 1000) {
        refused = await call(at).then(
          () => undefined,
          (error: unknown) => error,
        );
      }
      t.match(refused, { code: 'SERVICE_AUTH_INVALID' }, `${way}: ${Date.now() - endedAtMs} ms`);
    }
  }
  const [row] = await admin`select count(*)::int as n from service_keys where service_id like 'ended-%'`;
  t.equal(row?.['n'], 3);
});

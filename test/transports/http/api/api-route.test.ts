/** What a declared route checks before its handler runs, and in which order. */
import { Type } from '@sinclair/typebox';
import t from 'tap';
import { connectRaw } from '../../../fixtures/raw-client.ts';
import { VelloError } from '../../../../config/errors.ts';
import { apiRoute, registerRoutes, type Guards } from '../../../../transports/http/api/api-route.ts';
import { startTestListener } from '../../../fixtures/api-listener.ts';

const guards: Guards = {
  bootstrap: () => Promise.reject(new VelloError('AUTH_TOKEN_INVALID')),
  access: async (request) => {
    if (request.header('authorization') === '') throw new VelloError('AUTH_TOKEN_MISSING');
    return { userId: 'u', deviceId: 'd', familyId: 'f' };
  },
  service: async () => async (body) => ({ serviceId: `saw ${body.length} bytes` }),
};

const closed = { additionalProperties: false };

const rename = apiRoute({
  method: 'PATCH',
  path: '/things/{id}',
  tag: 'Things',
  summary: 'Renames.',
  auth: 'access',
  params: Type.Object({ id: Type.String({ format: 'uuid' }) }, closed),
  query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })) }, closed),
  body: Type.Object({ name: Type.String() }, closed),
  answers: { 200: { description: 'Renamed.' } },
  handle: ({ caller, params, query, body }) => ({ status: 200, body: { caller, params, query, body } }),
});

const signed = apiRoute({
  method: 'POST',
  path: '/signed',
  tag: 'Things',
  summary: 'Signs.',
  auth: 'service',
  body: Type.Object({ n: Type.Number() }, closed),
  answers: { 200: { description: 'Signed.' } },
  handle: ({ caller, body }) => ({ status: 200, headers: { 'Cache-Control': 'private' }, body: { caller, body } }),
});

const id = '01890000-0000-7000-8000-000000000000';
const json = { 'Content-Type': 'application/json' };

t.test('hands a handler its caller, path, query and body as declared', async (t) => {
  const { base } = await startTestListener(t, (server) => registerRoutes(server, [rename, signed], guards));
  const renamed = await fetch(`${base}/things/${id}?limit=7`, {
    method: 'PATCH',
    headers: { ...json, Authorization: 'Bearer x' },
    body: '{"name":"desk"}',
  });
  t.same(await renamed.json(), {
    caller: { userId: 'u', deviceId: 'd', familyId: 'f' },
    params: { id },
    query: { limit: 7 },
    body: { name: 'desk' },
  });
  t.equal(renamed.headers.get('cache-control'), 'no-store');
  const service = await fetch(`${base}/signed`, { method: 'POST', headers: json, body: '{"n":1}' });
  t.same(await service.json(), { caller: { serviceId: 'saw 7 bytes' }, body: { n: 1 } });
  t.equal(service.headers.get('cache-control'), 'private');
});

t.test('refuses the caller first, then the kind of body, then its JSON, then its fields', async (t) => {
  const { base } = await startTestListener(t, (server) => registerRoutes(server, [rename], guards));
  const send = async (headers: Record<string, string>, body: string, path = `/things/${id}`) => {
    const response = await fetch(base + path, { method: 'PATCH', headers, body });
    const problem = (await response.json()) as { code: string; errors?: { field: string }[] };
    return [response.status, problem.code, problem.errors?.map((error) => error.field)];
  };
  const known = { ...json, Authorization: 'Bearer x' };
  t.same(await send(json, '{'), [401, 'AUTH_TOKEN_MISSING', undefined]);
  t.same(await send({ ...known, 'Content-Type': 'text/plain' }, '{'), [415, 'UNSUPPORTED_MEDIA_TYPE', undefined]);
  t.same(await send(known, '{'), [400, 'BAD_REQUEST', undefined]);
  t.same(await send(known, '{"nam":"x"}'), [422, 'INVALID_FIELDS', ['/name', '/nam']]);
  t.same(await send(known, '{"name":"x"}', '/things/7'), [422, 'INVALID_FIELDS', ['/id']]);
  for (const query of ['limit=0', 'limit=x', 'limit=1&limit=2', 'limit=', 'limit=1e9']) {
    t.same(await send(known, '{"name":"x"}', `/things/${id}?${query}`), [422, 'INVALID_FIELDS', ['/limit']], query);
  }
  t.same(await send(known, '{"name":"x"}', `/things/${id}?__proto__=1`), [422, 'INVALID_FIELDS', ['/__proto__']]);
});

t.test('the headers of a service are judged before its body is there', async (t) => {
  const body = Type.Object({}, closed);
  const route = apiRoute({
    method: 'POST',
    path: '/s',
    tag: 'x',
    summary: 'x',
    auth: 'service',
    body,
    answers: {},
    handle: () => ({ status: 204 }),
  });
  const strict: Guards = { ...guards, service: () => Promise.reject(new VelloError('SERVICE_AUTH_INVALID')) };
  const { port } = await startTestListener(t, (server) => registerRoutes(server, [route], strict));
  const client = await connectRaw(t, port);
  client.send('POST /s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n');
  await client.until('SERVICE_AUTH_INVALID');
});

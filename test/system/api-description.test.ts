/** The api does what its own description says: the routes, their methods, the shape of every answer. */
import t from 'tap';
import { WebSocket } from 'ws';
import type { OpenApiDocument } from '../../transports/http/openapi-document.ts';
import { compileCheck } from '../../transports/http/validate-body.ts';
import { startApiRole, type RunningApi } from '../fixtures/api-role.ts';
import { DEVICE, makeDesktop, prove, register, type Registered } from '../fixtures/identity-server.ts';
import { problemsOfOpenApi } from '../fixtures/openapi-problems.ts';
import { usageEventFields } from '../fixtures/usage-event.ts';

t.test('the description is sound and names exactly what the listener serves', async (t) => {
  const api = await startApiRole(t);
  const document = (await api.call('GET', '/openapi.json')).body as unknown as OpenApiDocument;
  t.same(problemsOfOpenApi(document), []);
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const declared = api.routes().map((route) => `${route.method} ${route.path}`);
  const own = ['GET /openapi.json', 'GET /docs', 'GET /ws/desktop'];
  t.same([...described].sort(), [...declared, ...own].sort());

  // The listener tells which methods an address takes when it is asked with another one.
  for (const [path, methods] of Object.entries(document.paths).filter(([path]) => path !== '/ws/desktop')) {
    const address = path.replaceAll(/\{\w+\}/g, '01890000-0000-7000-8000-000000000000');
    const { status, headers } = await api.call('OPTIONS', address);
    t.equal(status, 405, path);
    const taken = (headers.get('allow') ?? '').split(', ').filter((method) => method.toLowerCase() in methods);
    t.equal(taken.length, Object.keys(methods).length, path);
  }
  t.equal(await upgradeStatus(api.port), 401);
  t.match((await api.call('GET', '/docs')).headers.get('content-type'), 'text/html');
});

/** How an upgrade without any credential is answered. */
function upgradeStatus(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/desktop`);
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    socket.on('open', () => reject(new Error('the socket opened without a credential')));
    socket.on('error', reject);
  });
}

/** Calls like `api.call` and holds each answer to the declaration of its route. Remembers which routes were shown to succeed. */
function heldToDeclarations(api: RunningApi, succeeded: Set<string>): RunningApi['call'] {
  const routes = api.routes().map((route) => ({
    route,
    pattern: new RegExp(`^${route.path.replace(/\{\w+\}/g, '[^/]+')}$`),
  }));
  return async (method, path, options) => {
    const reply = await api.call(method, path, options);
    const [address = ''] = path.split('?');
    // A literal address is more than one with a place in it: /api/jobs/add is no /api/jobs/{id}.
    const fitting = routes.filter(({ route, pattern }) => route.method === method && pattern.test(address));
    const route = (fitting.find(({ route }) => route.path === address) ?? fitting[0])?.route;
    const answer = route?.answers[reply.status];
    if (route === undefined || answer === undefined) throw new Error(`${method} ${path} answered ${reply.status}`);
    if (answer.schema !== undefined) compileCheck(answer.schema)(reply.body);
    succeeded.add(`${method} ${route.path}`);
    return reply;
  };
}

t.test('every route answers a good request as it is described', async (t) => {
  const api = await startApiRole(t);
  const succeeded = new Set<string>();
  const call = heldToDeclarations(api, succeeded);
  const desktop = makeDesktop();

  const { token: bootstrap } = await prove({ call }, desktop);
  await call('POST', '/api/devices/validate', { token: bootstrap, body: { fingerprints: desktop.fingerprints } });
  await call('POST', '/api/devices/register', {
    token: bootstrap,
    body: { fingerprints: desktop.fingerprints, device: DEVICE },
  });
  const registered = (await register({ call }, desktop)).body;
  const token = (await refreshed(call, registered)).access_token;
  await call('GET', '/api/time');
  await call('GET', '/.well-known/jwks.json');

  const event = usageEventFields({ userId: registered.user_id, deviceId: registered.device_id, result: 'kept' });
  const other = usageEventFields({ userId: registered.user_id, deviceId: registered.device_id, usage: { tokens: 1 } });
  const jobId = (await asService(api, call, '/api/jobs/add', { event }))['job_id'] as string;
  await asService(api, call, '/api/jobs/add', { events: [event, other, { v: '2' }] });
  await asService(api, call, '/api/jobs/dead-letters', {
    dead_letters: [{ stream: 's', entry_id: '1-1', fields: { a: 'b' }, attempts: [], error_code: 'API_REJECTED' }],
  });

  await call('GET', '/api/me', { token });
  await call('GET', `/api/jobs/${jobId}`, { token });
  await call('PUT', `/api/jobs/${jobId}/transcription`, { token, body: { text: 'said' } });
  await call('GET', `/api/jobs/${jobId}`, { token });
  for (const list of ['/api/devices', '/api/credits/ledger', '/api/jobs', '/api/transcriptions']) {
    const { body } = await call('GET', `${list}?limit=1`, { token });
    t.equal((body['items'] as unknown[]).length, 1, `${list} has something to show`);
  }
  await call('PATCH', `/api/devices/${registered.device_id}`, { token, body: { name: 'Renamed' } });
  await call('GET', '/api/me/export', { token });

  await call('POST', '/api/auth/logout', { token });
  const second = (await register({ call }, makeDesktop())).body;
  await call('DELETE', `/api/devices/${second.device_id}`, { token: second.access_token });
  const third = (await register({ call }, makeDesktop())).body;
  await call('DELETE', '/api/me', { token: third.access_token });

  const all = api.routes().map((route) => `${route.method} ${route.path}`);
  t.same(
    all.filter((route) => !succeeded.has(route)),
    [],
    'every route was shown to succeed',
  );
});

async function refreshed(call: RunningApi['call'], { refresh_token }: Registered): Promise<Registered> {
  return (await call('POST', '/api/auth/refresh', { body: { refresh_token } })).body as unknown as Registered;
}

async function asService(api: RunningApi, call: RunningApi['call'], path: string, body: object) {
  const headers = api.signAsService('POST', path, JSON.stringify(body));
  return (await call('POST', path, { body, headers })).body;
}

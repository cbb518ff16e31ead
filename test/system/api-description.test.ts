/** The api does what its own description says: the routes, their methods, the shape of every answer. */
import t from 'tap';
import { WebSocket } from 'ws';
import type { OpenApiDocument } from '../../transports/http/openapi/openapi-document.ts';
import { LIVE_PATH } from '../../transports/live/live-endpoint.ts';
import { RELAY_ROUTES } from '../../transports/proxy/relay-routes.ts';
import { compileCheck } from '../../transports/http/api/validate-body.ts';
import { startApiRole, type RunningApi } from '../fixtures/api-role.ts';
import { tourApi } from '../fixtures/api-tour.ts';
import { problemsOfOpenApi } from '../fixtures/openapi-problems.ts';

t.test('the description is sound and names exactly what the listener serves', async (t) => {
  const api = await startApiRole(t);
  const document = (await api.call('GET', '/openapi.json')).body as unknown as OpenApiDocument;
  t.same(problemsOfOpenApi(document), []);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { servers }]) => ({ name: `${method.toUpperCase()} ${path}`, servers })),
  );
  const described = operations.filter(({ servers }) => servers === undefined).map(({ name }) => name);
  const ofGateway = operations.filter(({ servers }) => servers?.[0]?.description.startsWith('The gateway') === true);
  t.same(
    ofGateway.map(({ name }) => name).sort(),
    [
      ...RELAY_ROUTES.map(({ method, pattern }) => `${method} ${pattern.replace(/:(\w+)/, '{$1}')}`),
      `GET ${LIVE_PATH}`,
    ].sort(),
    'and what the gateway serves',
  );
  const ofInference = operations.filter(({ servers }) => servers?.some(({ url }) => url.endsWith(':8082')) === true);
  t.same(ofInference.map(({ name }) => name).sort(), ['GET /v1/models', 'POST /v1/audio/transcriptions']);
  const declared = api.routes().map((route) => `${route.method} ${route.path}`);
  const own = ['GET /openapi.json', 'GET /docs', 'GET /ws/desktop'];
  t.same([...described].sort(), [...declared, ...own].sort());

  // The listener tells which methods an address takes when it is asked with another one.
  for (const [path, methods] of Object.entries(document.paths).filter(([path]) =>
    /^\/(api|\.well-known)\//.test(path),
  )) {
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
  await tourApi(api, call);
  const all = api.routes().map((route) => `${route.method} ${route.path}`);
  t.same(
    all.filter((route) => !succeeded.has(route)),
    [],
    'every route was shown to succeed',
  );
});

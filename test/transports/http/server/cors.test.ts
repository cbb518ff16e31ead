/** What web pages may read, asked as browsers ask. */
import OpenAI from 'openai';
import t from 'tap';
import { VelloError } from '../../../../config/errors.ts';
import type { HttpServer } from '../../../../transports/http/server/server.ts';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { connectRaw } from '../../../fixtures/raw-client.ts';
import { startScriptedUpstream } from '../../../fixtures/scripted-upstream.ts';
import { SESSION, startGateway } from '../../../fixtures/test-gateway.ts';

const PAGE = 'https://app.example.com';
const list = new Set([PAGE, 'tauri://localhost']);
const addRoutes = (server: HttpServer) => {
  server.route('GET', '/things/:id', () => ({ status: 200, body: { ok: true } }));
  server.route('POST', '/things/:id', async (request) => ({ status: 200, body: await request.readBody() }), {
    maxBytes: 4,
  });
  server.route('GET', '/refused', () => {
    throw new VelloError('RATE_LIMITED');
  });
  server.route('GET', '/stream', () => ({
    status: 200,
    stream: (async function* () {
      yield 'a';
    })(),
  }));
};
const ofCors = (headers: Headers) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary'));

t.test('nothing is said of it where no origin is set', async (t) => {
  const { base } = await startTestListener(t, addRoutes);
  const asked = await fetch(`${base}/things/1`, { headers: { Origin: PAGE } });
  t.strictSame(ofCors(asked.headers), {});
  const headers = { Origin: PAGE, 'Access-Control-Request-Method': 'POST' };
  const preflight = await fetch(`${base}/things/1`, { method: 'OPTIONS', headers });
  t.equal(preflight.status, 405);
  t.strictSame(ofCors(preflight.headers), {});
});

t.test('a page that is listed reads every answer, of errors too; another reads none', async (t) => {
  const { base, port } = await startTestListener(t, addRoutes, { corsOrigins: list });
  const exposed = 'X-Request-Id, X-Session-Id, X-Vello-Prompt, Retry-After';
  const asks: readonly (readonly [status: number, path: string, init?: RequestInit])[] = [
    [200, '/things/1'],
    [200, '/things/1', { method: 'HEAD' }],
    [200, '/stream'],
    [429, '/refused'],
    [404, '/nowhere'],
    [405, '/things/1', { method: 'DELETE' }],
    [405, '/things/1', { method: 'OPTIONS' }],
    [413, '/things/1', { method: 'POST', body: 'too long' }],
  ];
  for (const [status, path, init = {}] of asks) {
    for (const origin of [...list, 'https://evil.example', `${PAGE}.evil.example`, 'null', undefined]) {
      const answer = await fetch(base + path, { ...init, headers: origin === undefined ? {} : { Origin: origin } });
      t.equal(answer.status, status, path);
      const allowed = { 'access-control-allow-origin': origin, 'access-control-expose-headers': exposed };
      const isListed = origin !== undefined && list.has(origin);
      t.strictSame(ofCors(answer.headers), { ...(isListed ? allowed : {}), vary: 'Origin' }, `${path} to ${origin}`);
    }
  }
  const client = await connectRaw(t, port);
  client.send(`GET /things/1 HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\nOrigin: ${PAGE}\r\n\r\n`);
  t.match(await client.ended, new RegExp(`400 Bad Request[^]*Access-Control-Allow-Origin: ${PAGE}`, 'i'));
});

t.test('a page that asks first is told what it may send, and needs no token for that', async (t) => {
  const { base } = await startTestListener(t, addRoutes, { corsOrigins: list });
  const ask = async (origin: string, more: Readonly<Record<string, string>> = {}) => {
    const headers = { Origin: origin, 'Access-Control-Request-Method': 'POST', ...more };
    const answer = await fetch(`${base}/things/1`, { method: 'OPTIONS', headers });
    t.equal(answer.status, 204);
    return ofCors(answer.headers);
  };
  const wished = 'authorization,content-type, x-stainless-lang';
  t.match(await ask(PAGE, { 'Access-Control-Request-Headers': wished }), {
    'access-control-allow-origin': PAGE,
    'access-control-allow-methods': 'GET, HEAD, POST',
    'access-control-allow-headers': wished,
    'access-control-max-age': '7200',
    vary: 'Origin',
  });
  for (const odd of ['a b', 'a:b', 'a,,b', 'ä'.repeat(3)]) {
    const answer = await ask(PAGE, { 'Access-Control-Request-Headers': Buffer.from(odd).toString('latin1') });
    t.equal(answer['access-control-allow-headers'], undefined, odd);
  }
  t.equal((await ask('https://evil.example'))['access-control-allow-origin'], undefined);
});

t.test('every page is let in by *', async (t) => {
  const { base } = await startTestListener(t, addRoutes, { corsOrigins: new Set(['*']) });
  const answer = await fetch(`${base}/refused`, { headers: { Origin: 'https://any.example' } });
  t.match(ofCors(answer.headers), { 'access-control-allow-origin': '*', vary: undefined });
});

t.test("the gateway's answers and refusals can be read as well", async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { p: upstream.url }, corsOrigins: list });
  const headers = { Origin: PAGE, 'X-Session-Id': SESSION };
  const refused = await fetch(`${gateway.url}/v1/models`, { headers });
  t.equal(refused.status, 401);
  t.equal(refused.headers.get('access-control-allow-origin'), PAGE);
  const asked = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'good', defaultHeaders: headers }).models
    .list()
    .asResponse();
  (await upstream.next()).reply(200, { 'content-type': 'application/json' }, '{"data":[]}');
  const answer = await asked;
  t.equal(answer.headers.get('access-control-allow-origin'), PAGE);
  t.equal(answer.headers.get('x-session-id'), SESSION);
});

/** Whatever is sent to whichever route of the api: an answer in time, 4xx where the request is wrong, never a 5xx and never a trace of our insides. */
import type { TSchema } from '@sinclair/typebox';
import fc from 'fast-check';
import t from 'tap';
import { ERRORS } from '../../config/errors.ts';
import type { ApiRoute } from '../../transports/http/api/api-route.ts';
import { compileCheck, parseJson } from '../../transports/http/api/validate-body.ts';
import { startApiRole, type RunningApi } from '../fixtures/api-role.ts';
import { makeDesktop, prove, register } from '../fixtures/identity-server.ts';
import { brokenValue, validValue } from '../fixtures/schema-arbitrary.ts';

const json = 'application/json';

/** A caller for each kind of route: headers for one request. */
async function makeCallers(api: RunningApi) {
  const { access_token: access } = (await register(api, makeDesktop())).body;
  const { token: bootstrap } = await prove(api, makeDesktop());
  return (route: ApiRoute, path: string, body: string | Buffer): Readonly<Record<string, string>> => {
    if (route.auth === 'access') return { Authorization: `Bearer ${access}` };
    if (route.auth === 'bootstrap') return { Authorization: `Bearer ${bootstrap}` };
    return route.auth === 'service' ? api.signAsService(route.method, path, body) : {};
  };
}

interface Sent {
  readonly status: number;
  readonly problems: readonly string[];
}

/** Sends and looks at the answer; `problems` says what an answer must not be. */
async function send(
  api: RunningApi,
  request: { method: string; path: string; headers: Readonly<Record<string, string>>; body?: string | Buffer },
): Promise<Sent> {
  const { method, path, headers, body } = request;
  const response = await fetch(api.base + path, {
    ...{ method, headers, redirect: 'manual', signal: AbortSignal.timeout(10_000) },
    ...(body === undefined || method === 'GET' ? {} : { body: new Uint8Array(Buffer.from(body)) }),
  });
  const { status } = response;
  const text = await response.text();
  const problems: string[] = [];
  if (status >= 500) problems.push(`${status} ${text}`);
  if (response.headers.get('x-request-id') === null) problems.push('no request id');
  if (status >= 400) {
    const problem = JSON.parse(text) as { code?: string; status?: number };
    if (response.headers.get('content-type') !== 'application/problem+json') problems.push('not a problem document');
    if (problem.status !== status || ERRORS[problem.code as keyof typeof ERRORS].status !== status) {
      problems.push(`a problem that contradicts itself: ${text}`);
    }
    if (/\bat .+:\d+:\d+|node_modules|\.[jt]s:\d+|postgres|127\.0\.0\.1/i.test(text)) problems.push(`insides: ${text}`);
  }
  return { status, problems };
}

/** A path with something that fits in each place. */
const fittingPath = (route: ApiRoute): string =>
  route.path.replaceAll(/\{\w+\}/g, '01890000-0000-7000-8000-000000000000');

/** As the listener would judge: unusable text and endless nesting are refused before the schema is asked. */
function fitting(schema: TSchema): (body: string) => boolean {
  const check = compileCheck(schema);
  return (body) => {
    try {
      check(parseJson(Buffer.from(body)));
      return true;
    } catch {
      return false;
    }
  };
}

t.test('the api under fuzz', async (t) => {
  const api = await startApiRole(t);
  const callers = await makeCallers(api);
  const routes = api.routes();
  const withBody = routes.filter((route) => route.body !== undefined);
  t.ok(routes.length >= 15 && withBody.length >= 8, 'there is something to fuzz');

  for (const route of withBody) {
    const schema = route.body!;
    const fits = fitting(schema);
    const path = fittingPath(route);
    await t.test(`${route.method} ${route.path} answers every body, and refuses those that do not fit`, async (t) => {
      await fc.assert(
        fc.asyncProperty(fc.oneof({ weight: 3, arbitrary: brokenValue(schema) }, validValue(schema)), async (value) => {
          const body = JSON.stringify(value);
          const headers = { ...callers(route, path, body), 'Content-Type': json };
          const { status, problems } = await send(api, { method: route.method, path, headers, body });
          if (problems.length > 0) throw new Error(problems.join('; '));
          if (!fits(body) && status < 400) throw new Error(`took a body that does not fit (${status})`);
        }),
        { numRuns: 60 },
      );
      t.pass();
    });

    await t.test(`${route.method} ${route.path} refuses what is not JSON in UTF-8`, async (t) => {
      const good = JSON.stringify(fc.sample(validValue(schema), { numRuns: 1, seed: 1 })[0]);
      const bad: readonly (readonly [string, string | Buffer, number])[] = [
        [json, '', 400],
        [json, good.slice(0, -1), 400],
        [json, `${good}x`, 400],
        [json, Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')]), 400],
        [json, '['.repeat(30_000), 400],
        [json, `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`, 400],
        [json, Buffer.alloc((route.maxBodyBytes ?? 64 * 1024) + 1, 0x20), 413],
        ['text/plain', good, 415],
        ['application/x-www-form-urlencoded', 'a=b', 415],
        ['multipart/form-data; boundary=x', '--x--', 415],
        ['application/json; charset=utf-16', good, 415],
        ['application/xml', '<a/>', 415],
      ];
      for (const [type, body, expected] of bad) {
        const headers = { ...callers(route, path, body), 'Content-Type': type };
        const { status, problems } = await send(api, { method: route.method, path, headers, body });
        t.same(problems, []);
        t.equal(status, expected, `${type} ${body.toString('latin1', 0, 20)}`);
      }
    });
  }

  await t.test('no route takes a path or query that does not fit it', async (t) => {
    const parts = [
      'x',
      '0',
      '%00',
      '%ff',
      '%',
      '..%2f..%2fapi',
      "'%20or%201=1",
      '%F0%9F%98%80',
      'a'.repeat(3000),
      '01890000',
    ];
    const queries = [
      'unknown=1',
      '__proto__=1',
      'limit=0',
      'limit=101',
      'limit=x',
      'limit=1&limit=2',
      'cursor=',
      'cursor=%00',
    ];
    queries.push(`cursor=${'A'.repeat(300)}`, 'cursor=am9iczox', '%ff=%fe', `q${'x'.repeat(2000)}=1`);
    for (const route of routes) {
      const places = route.path.includes('{') ? parts.map((part) => route.path.replace(/\{\w+\}/, part)) : [];
      for (const path of [...places, ...queries.map((query) => `${fittingPath(route)}?${query}`)]) {
        const body = route.body === undefined ? '' : JSON.stringify(fc.sample(validValue(route.body), 1)[0]);
        const headers = { ...callers(route, path, body), 'Content-Type': json };
        const { status, problems } = await send(api, { method: route.method, path, headers, body });
        if (problems.length > 0 || status < 400) t.fail(`${route.method} ${path}: ${status} ${problems.join('; ')}`);
      }
    }
    t.pass();
  });

  await t.test('no route that asks for a caller opens to somebody else', async (t) => {
    const body = '{}';
    const other = makeDesktop();
    const { token: bootstrap } = await prove(api, other);
    const { access_token: access } = (await register(api, other)).body;
    const swapped = { none: '', access: bootstrap, bootstrap: access, service: access };
    for (const route of routes.filter((each) => each.auth !== 'none')) {
      const path = fittingPath(route);
      const proofs = [
        '',
        'Bearer',
        'Bearer x',
        'Basic eDp4',
        `Bearer ${'A'.repeat(9000)}`,
        'Ed25519 1:x',
        'Ed25519 9999999999:',
      ];
      proofs.push(`Bearer ${swapped[route.auth]}`, `Bearer ${access.slice(0, -4)}AAAA`);
      for (const authorization of proofs) {
        const headers = { 'Content-Type': json, ...(authorization === '' ? {} : { Authorization: authorization }) };
        const { status, problems } = await send(api, { method: route.method, path, headers, body });
        t.same(problems, [], `${route.method} ${route.path} ${authorization.slice(0, 20)}`);
        t.ok(
          status === 401 || status === 431,
          `${route.method} ${route.path} ${authorization.slice(0, 20)}: ${status}`,
        );
      }
    }
  });

  t.same(
    // A sign-in that takes over two seconds says how busy the machine is, not what the fuzz did.
    api.log.lines
      .filter(({ level, fields }) => level === 'error' && !String(fields['problem']).includes('CONNECT_TIMEOUT'))
      .map((line) => line.message),
    [],
    'nothing failed inside',
  );
});

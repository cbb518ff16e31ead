/** The cases find what is wrong with a proxy as one writes it in ten lines; that they pass on ours is shown in `test/conformance/`. */
import { once } from 'node:events';
import { createServer, request as openRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { CASES } from '../../../scripts/conformance/all-cases.ts';
import { playCase, type Lane } from '../../../scripts/conformance/play.ts';
import { PEERS_ROUTES } from '../../../scripts/conformance/tested-route.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';

const FOUND: Readonly<Record<string, RegExp>> = {
  'abort-stream': /^no$/,
  'abort-early': /^no$/,
  'abort-upload': /^no$/,
  'reset-stream': /^masked: clean end$/,
  'chunks-cut': /^masked: clean end$/,
  garbage: /^502 tells|^500$/,
  'hop-by-hop': /^passes on keep-alive, proxy-authorization, proxy-connection, te$/,
  'connection-named': /^passes on x-hop$/,
  credentials: /^passes on authorization, cookie, x-forwarded-for, forwarded, x-api-key$/,
  key: /^no$/,
  'hop-by-hop-back': /^passes on /,
  unbuffered: /^no$/,
  paths: /^passes on /,
  refused: /^500 tells ECONNREFUSED$|^500 tells 127.0.0.1$/,
  'key-kept': /^in a 401$/,
};

t.test('what a careless proxy does wrong is found', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const { port } = new URL(upstream.url);
  const proxy = createServer((request, response) => {
    const { method, url: path } = request;
    const { trailer: _, ...headers } = request.headers;
    const onward = openRequest({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.on('data', (chunk) => response.write(chunk)).on('close', () => response.end());
      answer.on('error', () => undefined);
    });
    onward.on('error', (error) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
    request.pipe(onward);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const stop = async () => undefined;
  const keys = { token: 'token-of-the-client', providerKey: 'key-of-the-provider' };
  const running = { name: 'careless', url, pid: process.pid, version: '1', headers: {}, isRunning: () => true, stop };
  const arm = { doesWholeJob: true, running, ...keys, upstream, startAnother: async () => running };
  const [route] = PEERS_ROUTES;
  if (route === undefined) throw new Error('There is no route.');
  const lane: Lane = { arm, routes: [route], revive: async () => false, close: stop };
  for (const one of CASES.filter(({ name }) => Object.hasOwn(FOUND, name))) {
    const { isGood, holes } = await playCase(one, { lanes: [lane] });
    t.equal(isGood, false, one.name);
    t.match(holes[0]?.detail, FOUND[one.name], one.name);
  }
});

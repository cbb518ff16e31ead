/** The settings for nginx and Caddy in config/deployment/ do what docs/deploying.md says of them. Real nginx, real Caddy, the whole product. */
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import '../fixtures/header-limit.ts';
import type { JobCreated } from '../../actors/sessions/desktop-protocol.ts';
import { IDENTITY_LIMITS } from '../../actors/identity/rate-limits.ts';
import { LIMITS } from '../../config/limits.ts';
import { createDesktopClient } from '../../transports/client/desktop-client.ts';
import { createMemoryIdentity } from '../../transports/client/device-identity.ts';
import { form } from '../fixtures/test-gateway.ts';
import { freePort } from '../fixtures/free-port.ts';
import { obtainProxy, startReverseProxy, type ProxyName, type ReverseProxy } from '../fixtures/reverse-proxy.ts';
import { runVello } from '../fixtures/running-vello.ts';
import { startScriptedLiveGateway } from '../fixtures/scripted-live-gateway.ts';
import { startScriptedUpstream } from '../fixtures/scripted-upstream.ts';
import { projectFolder } from '../fixtures/source-files.ts';
import type { Teardown } from '../fixtures/temporary-folder.ts';

const programs = { nginx: await obtainProxy('nginx'), caddy: await obtainProxy('caddy') };
const provider = await startScriptedUpstream(t);
const vello = await runVello(t, {
  roles: ['api', 'gateway', 'collector'],
  environment: { VELLO_TRUST_PROXY: 'true', VELLO_PROVIDER_URL: provider.url, OPENAI_API_KEY: 'sk-of-the-provider' },
});
const apiAddress = new URL(vello.apiUrl).host;
const gatewayDoor = await countConnections(t, Number(new URL(vello.gatewayUrl).port));
const addresses = {
  api: [apiAddress, apiAddress],
  gateway: [gatewayDoor.address, gatewayDoor.address],
  adminPort: new URL(vello.adminUrl).port,
} as const;
/** Of a host where nothing listens. */
const down = `127.0.9.9:${await freePort()}`;

for (const name of ['nginx', 'caddy'] as const) withProxy(name, name, (t, program) => proveProxy(t, name, program));

/** A test that is skipped, with the reason, where that proxy is not to be had. */
function withProxy(title: string, name: ProxyName, prove: (t: Test, program: string) => Promise<void>): void {
  const program = programs[name];
  if (program instanceof Error) t.test(title, { skip: program.message }, async () => undefined);
  else t.test(title, (t) => prove(t, program));
}

async function proveProxy(t: Test, name: ProxyName, program: string): Promise<void> {
  const proxy = await startReverseProxy(t, name, program, addresses);
  t.teardown(() => {
    if (!t.passing()) process.stderr.write(proxy.logged());
  });
  const desktop = vello.desktop();
  await desktop.register();
  const token = await desktop.accessToken();
  const post = (path: string, headers: Record<string, string> = {}) =>
    send(proxy, new URL(path, proxy.gatewayUrl), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'multipart/form-data; boundary=b', ...headers },
    });

  await t.test(
    'an upload reaches the provider while it is being sent, and its answer comes piece by piece',
    async (t) => {
      const { request, answered } = post('/v1/audio/transcriptions');
      const body = form({ file: Buffer.alloc(200_000, 'sound') });
      request.write(body.subarray(0, 150_000));
      const upstream = await provider.next();
      await upstream.received(100_000);
      request.end(body.subarray(150_000));
      t.strictSame(await upstream.whole(), body);
      upstream.send('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n');
      upstream.send('data: {"type":"transcript.text.delta","delta":"one"}\n\n');
      const answer = await answered;
      t.equal(answer.statusCode, 200);
      t.match(answer.headers['x-request-id'], /./, 'the desktop client tells our answers by it');
      t.match(await firstPiece(answer), /"one"/, 'the first word is there before the second is said');
      upstream.send('data: {"type":"transcript.text.done","text":"one two"}\n\n');
      upstream.finish();
      t.match(await restOf(answer), /one two/);
    },
  );

  await t.test('a recording of 6 MB passes', async (t) => {
    const { request, answered } = post('/v1/audio/transcriptions');
    const body = form({ file: Buffer.alloc(6 * 1024 * 1024, 'sound') });
    request.end(body);
    const upstream = await provider.next();
    t.equal((await upstream.whole()).length, body.length);
    upstream.reply(200, { 'content-type': 'application/json' }, '{"text":"long"}');
    t.equal(await restOf(await answered), '{"text":"long"}');
  });

  await t.test(
    'who leaves ends the call to the provider within a second, and costs nobody else anything',
    async (t) => {
      const { request } = post('/v1/audio/transcriptions');
      request.on('error', () => undefined);
      request.write(form({ file: Buffer.alloc(50_000, 'sound') }).subarray(0, 40_000));
      const upstream = await provider.next();
      await upstream.received(10_000);
      const left = performance.now();
      request.destroy();
      await upstream.closed;
      t.ok(performance.now() - left < 1000);
      const next = post('/nowhere');
      next.request.end();
      t.equal((await next.answered).statusCode, 404);
      (await next.answered).resume();
    },
  );

  await t.test('a refusal is heard although the upload goes on', async (t) => {
    const { request, answered } = post('/v1/audio/transcriptions', { authorization: 'Bearer of-nobody' });
    request.on('error', () => undefined);
    request.end(form({ file: Buffer.alloc(2_000_000, 'sound') }));
    const answer = await answered;
    t.equal(answer.statusCode, 401);
    t.match(JSON.parse(await restOf(answer)), { error: { code: 'AUTH_TOKEN_UNKNOWN' } });
  });

  await t.test('requests one after another share a connection to the gateway', async (t) => {
    const before = gatewayDoor.count();
    for (let turn = 0; turn < 20; turn += 1) {
      const { request, answered } = post('/nowhere');
      request.end();
      t.equal((await answered).statusCode, 404);
      (await answered).resume();
    }
    t.ok(gatewayDoor.count() - before <= 3, `${gatewayDoor.count() - before} connections for 20 requests`);
  });

  await t.test('limits count the address that the proxy saw, whatever the client claims', async (t) => {
    const { burst } = IDENTITY_LIMITS.verifyPerAddress;
    const hosts = { nginx: ['127.0.2.1', '127.0.2.2'], caddy: ['127.0.3.1', '127.0.3.2'] }[name] as [string, string];
    const verify = async (localAddress: string, claim: number) => {
      const { request, answered } = send(proxy, new URL('/api/auth/ed25519/verify', proxy.apiUrl), {
        ...{ method: 'POST', localAddress },
        headers: { 'content-type': 'application/json', 'x-forwarded-for': `203.0.113.${claim % 250}` },
      });
      request.end(JSON.stringify({ challenge_id: '01939f5e-7f00-7000-8000-000000000001', signature: 'A'.repeat(86) }));
      (await answered).resume();
      return (await answered).statusCode;
    };
    const statuses: (number | undefined)[] = [];
    // More come in again while a slow machine is at it.
    while (!statuses.includes(429) && statuses.length < 5 * burst) {
      statuses.push(...(await Promise.all(Array.from({ length: 40 }, (_, claim) => verify(hosts[0], claim)))));
    }
    t.ok(statuses.includes(429), 'a caller who names himself anew each time is one caller');
    t.not(await verify(hosts[1], 0), 429, 'and his neighbour is another');
  });

  await t.test('a desktop registers, speaks, and hears of its job over the WebSocket', async (t) => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    t.teardown(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
    const serial = () => crypto.randomUUID();
    const client = createDesktopClient({
      ...{ apiUrl: proxy.apiUrl, gatewayUrl: proxy.gatewayUrl, identity: createMemoryIdentity() },
      fingerprints: { machine_id: serial(), bios_uuid: serial(), disk_serial: serial() },
      device: { name: 'Test desktop', os: 'linux', app_version: '1.0.0' },
    });
    t.teardown(() => client.close());
    await client.register();
    let hear: (job: JobCreated) => void;
    const job = new Promise<JobCreated>((resolve) => (hear = resolve));
    const connection = await client.connect({ job_created: (told) => hear(told) });
    const transcription = client.transcribe(Buffer.alloc(10_000), { model: 'm', stream: false, fileName: 'a.flac' });
    const text = transcription.text();
    const upstream = await provider.next();
    await upstream.whole();
    upstream.reply(200, { 'content-type': 'application/json' }, '{"text":"spoken"}');
    t.equal(await text, 'spoken');
    t.equal((await job).session_id, transcription.sessionId);
    await connection.close();
  });

  await t.test('a microphone is live, and a session comes back to the gateway that has its call', async (t) => {
    const gateways = [await startScriptedLiveGateway(t), await startScriptedLiveGateway(t)] as const;
    const [one = '', other = ''] = gateways.map(({ url }) => new URL(url).host);
    const live = await startReverseProxy(t, name, program, { ...addresses, gateway: [one, other] });
    const sessions = Array.from({ length: 16 }, () => crypto.randomUUID());
    for (const session of [...sessions, ...sessions]) {
      const headers = { 'x-session-id': session, authorization: 'Bearer the-token' };
      const url = `${live.gatewayUrl.replace('https', 'wss')}/vello/live?format=opus&token=the-token`;
      const socket = new WebSocket(url, { headers, rejectUnauthorized: false });
      await once(socket, 'open');
      socket.close();
      await once(socket, 'close');
    }
    t.strictSame(gateways.flatMap((gateway) => gateway.sessions).sort(), [...sessions, ...sessions].sort());
    for (const { sessions: known } of gateways) {
      t.ok(known.length > 0, 'each has some of them');
      for (const session of known) t.equal(known.filter((same) => same === session).length, 2);
    }
    t.notMatch(live.logged(), /the-token/);
  });

  await t.test('a process that is down costs no request where another is up', async (t) => {
    const half = await startReverseProxy(t, name, program, { ...addresses, api: [down, apiAddress] });
    for (let turn = 0; turn < 6; turn += 1) {
      const { request, answered } = send(half, new URL('/api/time', half.apiUrl), { method: 'GET' });
      request.end();
      t.equal((await answered).statusCode, 200);
      (await answered).resume();
    }
  });

  await t.test(
    'where all are down it is 502 or 503 within seconds; no log holds a token that came in a query',
    async (t) => {
      const dead = await startReverseProxy(t, name, program, { ...addresses, api: [down, down] });
      const path = '/ws/desktop?token=the-token-of-a-desktop';
      const upgrade = { upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-version': '13' };
      const headers = {
        ...upgrade,
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        authorization: 'Bearer the-token',
      };
      for (const [one, statuses] of [
        [dead, [502, 503]],
        [proxy, [401]],
      ] as const) {
        const { request, answered } = send(one, new URL(path, one.apiUrl), { method: 'GET', headers });
        const startedMs = performance.now();
        request.end();
        const answer = await answered;
        t.ok(statuses.some((status) => status === answer.statusCode));
        t.ok(performance.now() - startedMs < 5000);
        await restOf(answer);
        t.notMatch(one.logged(), /the-token/);
      }
    },
  );
}

withProxy('nginx without its line on HTTP/1.1 is answered with 505', 'nginx', async (t, program) => {
  const drop = (text: string) => text.replaceAll('proxy_http_version 1.1;', '');
  const proxy = await startReverseProxy(t, 'nginx', program, addresses, drop);
  const { request, answered } = send(proxy, new URL('/api/time', proxy.apiUrl), { method: 'GET' });
  request.end();
  t.equal((await answered).statusCode, 505);
  (await answered).resume();
});

t.test('nginx counts no failures of a gateway: an upload that is refused and goes on would be one', async (t) => {
  const text = readFileSync(join(projectFolder, 'config', 'deployment', 'nginx.conf'), 'utf8');
  const [, gateways = ''] = /upstream vello_gateway \{([^}]*)\}/.exec(text) ?? [];
  const servers = gateways.match(/server .*;/g) ?? [];
  t.ok(servers.length > 1);
  for (const server of servers) t.match(server, /max_fails=0;/);
});

t.test('what the proxies wait for is longer than what the gateway waits for', async (t) => {
  const text = (file: string) => readFileSync(join(projectFolder, 'config', 'deployment', file), 'utf8');
  const seconds = (file: string, pattern: RegExp) => Number(pattern.exec(text(file))?.[1]);
  const { headMs, idleMs, uploadIdleMs, uploadStallMs } = LIMITS.relay;
  const nginx = text('nginx.conf').slice(text('nginx.conf').indexOf('gateway.example.com'));
  const ofGateway = (setting: string) => Number(new RegExp(`${setting} (\\d+)s;`).exec(nginx)?.[1]) * 1000;
  t.ok(ofGateway('proxy_read_timeout') > Math.max(headMs, idleMs));
  t.ok(ofGateway('client_body_timeout') > uploadIdleMs);
  t.ok(ofGateway('proxy_send_timeout') > uploadStallMs);
  t.ok(seconds('nginx.conf', /proxy_read_timeout (\d+)s/) * 1000 > 2 * LIMITS.sessions.heartbeatMs);
  t.ok(seconds('caddyfile', /response_header_timeout (\d+)s/) * 1000 > headMs);
});

interface Sent {
  readonly request: ClientRequest;
  readonly answered: Promise<IncomingMessage>;
}

interface Sending {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly localAddress?: string;
}

function send(proxy: ReverseProxy, url: URL, options: Sending): Sent {
  // By address, so that a caller can have another one than this machine's first.
  const request = httpsRequest({
    ...{ host: '127.0.0.1', port: url.port, servername: 'localhost', path: url.pathname + url.search },
    ...{ ca: readFileSync(proxy.certificateFile), agent: false, ...options },
    headers: { host: url.host, ...options.headers },
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  answered.catch(() => undefined);
  return { request, answered };
}

async function firstPiece(answer: IncomingMessage): Promise<string> {
  await once(answer, 'readable');
  return String(answer.read());
}

async function restOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of answer) text += String(piece);
  return text;
}

/** Passes connections on and counts them. */
async function countConnections(t: Teardown, port: number) {
  let count = 0;
  const server = createServer((client) => {
    count += 1;
    const target = connect(port, '127.0.0.1');
    client.pipe(target).pipe(client);
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, count: () => count };
}

import '../../fixtures/header-limit.ts';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createActorSystem } from '../../../actors/kernel/actor-system.ts';
import { Drain } from '../../../supervisors/drain.ts';
import { createGatewayParts } from '../../../supervisors/gateway-parts.ts';
import { gatewayRole } from '../../../supervisors/roles/gateway.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { connectRedis } from '../../../transports/redis/connection/connect.ts';
import { createGrantPublisher } from '../../../transports/redis/grants/grant-publisher.ts';
import { freePort } from '../../fixtures/free-port.ts';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { startRedis } from '../../fixtures/redis.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { createMemoryLog, createMemoryMetrics } from '../../fixtures/silent.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { form, head, PROVIDER_KEY } from '../../fixtures/test-gateway.ts';

const grant = (token: string, familyId = 'family-1') => ({
  tokenHash: createHash('sha256').update(token).digest('base64url'),
  userId: '01939f5e-7f00-7000-8000-000000000001',
  deviceId: '01939f5e-7f00-7000-8000-000000000002',
  familyId,
  expiresAtMs: Date.now() + 900_000,
});

async function setUp(t: Test, gatewayAdmission: 'grants' | 'open' = 'grants') {
  const server = await startRedis(t, { fsync: 'always' });
  const upstream = await startScriptedUpstream(t);
  const [clock, log, metrics] = [systemClock, createMemoryLog(), createMemoryMetrics()];
  const redis = await connectRedis({ url: server.url, use: 'command', name: 'test', log });
  t.teardown(() => redis.disconnect());
  const port = await freePort();
  const settings = {
    providerUrl: `${upstream.url}/v1`,
    providerKey: PROVIDER_KEY,
    providerCountsStreams: true,
    uploadBytes: undefined,
    inferenceListen: { host: '127.0.0.1', port: 1 },
    gatewayListen: { host: '127.0.0.1', port },
    gatewayAdmission,
    gatewayRequestsPerUser: 8,
    corsOrigins: undefined,
    trustProxy: false,
    drainMs: 500,
  };
  const drain = new Drain(clock, log);
  const alone = { folder: join(temporaryFolder(t), 'gateway'), sharesPort: false };
  const options = { ...alone, settings, redisUrl: server.url, inferenceKey: 'unused', clock, drain, log, metrics };
  const parts = createGatewayParts(options);
  const run = async () => {
    const system = createActorSystem({ clock, log, metrics });
    const before = log.lines.length;
    system.spawn('gateway', supervisorDefinition(gatewayRole(parts, settings), { random: Math.random }));
    t.teardown(() => system.stop());
    while (!log.lines.slice(before).some(({ message }) => message === 'listening')) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return system;
  };
  const ask = async (token: string) => {
    const client = await connectRaw(t, port);
    client.send(head(form().length, [`Authorization: Bearer ${token}`]));
    client.send(form());
    return client;
  };
  const status = async (token: string) => {
    const client = await ask(token);
    return Number(/ (\d{3}) /.exec(await client.until('"code"'))?.[1]);
  };
  const serve = async (token: string) => {
    const client = await ask(token);
    const request = await upstream.next();
    await request.whole();
    request.reply(200, { 'content-type': 'application/json' }, '{"text":"ok"}');
    await client.until('{"text":"ok"}');
  };
  return {
    server,
    redis,
    upstream,
    log,
    metrics,
    run,
    status,
    serve,
    ask,
    publisher: createGrantPublisher(redis, clock),
  };
}

const stream = 'modelsgateway:events:transcribe';

t.test('a published grant opens the gateway, its revocation closes it within a second', async (t) => {
  const { publisher, run, serve, status, upstream, redis } = await setUp(t);
  await publisher.issue(grant('before'));
  await run();
  await serve('before');
  await publisher.issue(grant('after'));
  await serve('after');
  t.equal(await status('forged'), 401);
  const revokedMs = performance.now();
  await publisher.revoke({ familyId: 'family-1' });
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.equal(await status('before'), 401);
  t.equal(await status('after'), 401);
  t.ok(performance.now() - revokedMs < 1_000);
  t.equal(upstream.count, 2);
  while ((await redis.xlen(stream)) < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(await redis.xlen(stream), 2);
});

t.test('exhausted credits close the gateway with 402 until they are back', async (t) => {
  const { publisher, run, serve, status } = await setUp(t);
  await publisher.issue(grant('user'));
  await run();
  await serve('user');
  await publisher.suspend('01939f5e-7f00-7000-8000-000000000001');
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.equal(await status('user'), 402);
  await publisher.reinstate('01939f5e-7f00-7000-8000-000000000001');
  await new Promise((resolve) => setTimeout(resolve, 300));
  await serve('user');
});

t.test('whose balance is small has few requests at once, with all tokens together, until it is not', async (t) => {
  const { publisher, run, ask, upstream } = await setUp(t);
  const user = '01939f5e-7f00-7000-8000-000000000001';
  await publisher.limit(user, 1);
  await publisher.issue(grant('first'));
  await publisher.issue(grant('second', 'family-2'));
  await run();
  const first = await ask('first');
  const request = await upstream.next();
  await request.whole();
  t.match(await (await ask('second')).until('credits that are left'), /^HTTP\/1\.1 429 [^]*"At most 1 request at once/);
  await publisher.limit(user, undefined);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const second = await ask('second');
  (await upstream.next()).reply(200, { 'content-type': 'application/json' }, '{"text":"second"}');
  await second.until('second');
  request.reply(200, { 'content-type': 'application/json' }, '{"text":"first"}');
  await first.until('first');
});

t.test('it is not ready before the grants are rebuilt and the listener is up', async (t) => {
  const { run } = await setUp(t);
  const system = await run();
  while (!everyActorIsReady(system.snapshot())) await new Promise((resolve) => setTimeout(resolve, 10));
  const paths = JSON.stringify(system.snapshot());
  for (const name of ['stores', 'grants', 'provider', 'events', 'listener']) t.ok(paths.includes(`"${name}"`), name);
  t.notOk(paths.includes(PROVIDER_KEY));
});

t.test('with Redis gone known tokens work, their events follow when it is back, and new tokens get 503', async (t) => {
  const { server, redis, publisher, run, serve, status } = await setUp(t);
  await publisher.issue(grant('known'));
  await run();
  await serve('known');
  await server.kill();
  await serve('known');
  t.equal(await status('new'), 503);
  await server.restart();
  if (redis.status !== 'ready') await once(redis, 'ready');
  while ((await redis.xlen(stream)) < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  const ids = (await redis.xrange(stream, '-', '+')).map(([, fields]) => fields[fields.indexOf('event_id') + 1]);
  t.equal(new Set(ids).size, 2);
  await serve('known');
  while ((await redis.xlen(stream)) < 3) await new Promise((resolve) => setTimeout(resolve, 20));
});

t.test('a stop ends what does not finish, and its event is on the stream or on disk', async (t) => {
  const { redis, publisher, run, ask, upstream } = await setUp(t);
  await publisher.issue(grant('user'));
  const system = await run();
  const client = await ask('user');
  await (await upstream.next()).whole();
  await system.stop();
  t.match(await client.ended, /^HTTP\/1\.1 503 [^]*SHUTTING_DOWN/);
  const entries = await redis.xrange(stream, '-', '+');
  t.equal(entries.length, 1);
  t.ok(entries[0]?.[1].includes('shutdown'));
});

t.test('open admission lets everybody in and says so loudly', async (t) => {
  const { run, serve, log, redis } = await setUp(t, 'open');
  await run();
  await serve('anything');
  t.ok(log.lines.some(({ level, message }) => level === 'warn' && message.startsWith('ADMISSION IS OPEN')));
  while ((await redis.xlen(stream)) < 1) await new Promise((resolve) => setTimeout(resolve, 10));
});

function everyActorIsReady(snapshot: unknown): boolean {
  return !JSON.stringify(snapshot).includes('"ready":false');
}

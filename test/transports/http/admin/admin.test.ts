import t from 'tap';
import { createActorSystem } from '../../../../actors/kernel/actor-system.ts';
import { addAdminRoutes, type AdminView } from '../../../../transports/http/admin/admin.ts';
import { createHttpServer } from '../../../../transports/http/server/server.ts';
import { systemClock } from '../../../../transports/process/system-clock.ts';
import { createPrometheusMetrics } from '../../../../transports/telemetry/prometheus-metrics.ts';
import { actor } from '../../../fixtures/actor-system.ts';
import { connectRaw } from '../../../fixtures/raw-client.ts';
import { createMemoryLog } from '../../../fixtures/silent.ts';
import type { Teardown } from '../../../fixtures/temporary-folder.ts';

async function listen(t: Teardown) {
  const log = createMemoryLog();
  const metrics = createPrometheusMetrics();
  const system = createActorSystem({ clock: systemClock, log, metrics });
  const server = createHttpServer({
    listener: 'admin',
    address: { host: '127.0.0.1', port: 0 },
    clock: systemClock,
    log,
    metrics,
  });
  const readiness = { isReady: false, waitingFor: ['vello/api'], problems: { 'vello/api': 'no database' } };
  const view: AdminView = {
    metrics,
    actors: async (path) => (path === undefined ? system.snapshot() : system.snapshotOf(path)),
    readiness: () => readiness,
  };
  addAdminRoutes(server, view, ['metrics.example']);
  const port = await server.listen();
  t.teardown(async () => {
    await server.close(0);
    await system.stop();
  });
  return { system, readiness, port, get: (path: string) => fetch(`http://127.0.0.1:${port}${path}`) };
}

t.test('ready answers 503 with what it waits for, and 200 once nothing is left to wait for', async (t) => {
  const { get, readiness } = await listen(t);
  const red = await get('/health/ready');
  t.equal(red.status, 503);
  t.strictSame(await red.json(), {
    status: 'not_ready',
    waiting_for: ['vello/api'],
    problems: { 'vello/api': 'no database' },
  });
  Object.assign(readiness, { isReady: true, waitingFor: [] });
  t.equal((await get('/health/ready')).status, 200);
});

t.test('live answers 200 even while not ready', async (t) => {
  const { get } = await listen(t);
  t.equal((await get('/health/live')).status, 200);
});

t.test('actors shows the tree, one actor by path, and 404 for a path without one', async (t) => {
  const { get, system } = await listen(t);
  system.spawn(
    'greeter',
    actor<string>(() => undefined, { type: 'greeter', describe: () => ({ greeted: 3 }) }),
  );
  await new Promise((resolve) => setImmediate(resolve));
  t.match(await (await get('/actors')).json(), {
    liveActors: 1,
    deadLetters: { counts: { stopped: 0 } },
    tree: [{ id: 'greeter', status: 'running', facts: { greeted: 3 } }],
  });
  t.match(await (await get('/actors?path=greeter')).json(), { path: 'greeter', type: 'greeter' });
  t.equal((await get('/actors?path=nobody')).status, 404);
});

t.test('metrics exposes the numbers of the actors by type', async (t) => {
  const { get, system } = await listen(t);
  const ref = system.spawn(
    'greeter',
    actor<string>(() => undefined, { type: 'greeter' }),
  );
  ref.tell('hello');
  await new Promise((resolve) => setImmediate(resolve));
  const answer = await get('/metrics');
  t.match(answer.headers.get('content-type'), /^text\/plain/);
  const text = await answer.text();
  t.match(text, 'vello_actor_live{type="greeter"} 1');
  t.match(text, 'vello_actor_messages_total{type="greeter"} 1');
  t.match(text, 'vello_actor_handler_seconds_count{type="greeter"} 1');
});

t.test('a name that somebody else points at the admin listener opens nothing of it', async (t) => {
  const { port } = await listen(t);
  const ask = async (path: string, host: string) => {
    const client = await connectRaw(t, port);
    client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    return (await client.ended).split(' ')[1];
  };
  for (const path of ['/metrics', '/health/live', '/health/ready', '/actors']) {
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'metrics.example.evil',
    ]) {
      t.equal(await ask(path, host), '400', `${path} ${host}`);
    }
  }
  for (const host of [
    'localhost',
    `LOCALHOST:${port}`,
    `127.0.0.1:${port}`,
    '[::1]:9',
    '10.1.2.3',
    'Metrics.example:8090',
  ]) {
    t.equal(await ask('/health/live', host), '200', host);
  }
});

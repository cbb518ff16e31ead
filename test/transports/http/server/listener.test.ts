import uWS from '#uws';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import { createActorSystem } from '../../../../actors/kernel/actor-system.ts';
import type { LiveActor } from '../../../../actors/kernel/kernel.ts';
import { listener } from '../../../../transports/http/server/listener.ts';
import { realClock } from '../../../fixtures/api-listener.ts';
import { freePort } from '../../../fixtures/free-port.ts';
import { createMemoryLog, createMemoryMetrics } from '../../../fixtures/silent.ts';

t.test(
  'a listener drains while it is open, and finishes what is under way when nobody can come any more',
  async (t) => {
    const [log, metrics, port] = [createMemoryLog(), createMemoryMetrics(), await freePort()];
    const address = { host: '127.0.0.1', port };
    const comes = async () => {
      const socket = connect(port, address.host);
      return once(socket, 'connect').then(
        () => {
          socket.destroy();
          return true;
        },
        () => false,
      );
    };
    const did: string[] = [];
    const definition = listener({
      ...{ listener: 'api', address, drainMs: 1000, clock: realClock, log, metrics },
      serve: () => ({
        finish: async () => void did.push(`finish, ${(await comes()) ? 'open' : 'closed'}`),
        join: () => {
          did.push('join');
          return [() => did.push('leave')];
        },
        describe: () => ({ active: 3 }),
      }),
    });
    const system = createActorSystem({ clock: realClock, log, metrics });
    const first = system.spawn('first', definition) as unknown as LiveActor;
    while (!log.lines.some(({ message }) => message === 'listening'))
      await new Promise((resolve) => setImmediate(resolve));
    const second = system.spawn('second', definition) as unknown as LiveActor;
    await new Promise<void>((resolve) => second.onExit(() => resolve()));
    t.match(second.exitReason, { kind: 'crashed', error: { code: 'PORT_IN_USE' } });
    t.strictSame(first.behaviour?.describe?.(), { ...address, active: 3 });
    t.ok(await comes());
    t.strictSame(did.splice(0), ['join'], 'one that cannot listen takes no part');
    await system.stop();
    t.strictSame(did, ['leave', 'finish, closed']);
    metrics.gauge('vello_http_requests_in_flight', { listener: 'api' }, 7);
    metrics.scrape();
    t.equal(
      metrics.value('vello_http_requests_in_flight', { listener: 'api' }),
      7,
      'its gauge is left to who comes next',
    );
  },
);

t.test('a native server is closed that could not be opened: its routes failed, or its port is taken', async (t) => {
  const [log, metrics] = [createMemoryLog(), createMemoryMetrics()];
  const { App } = uWS;
  t.teardown(() => Object.assign(uWS, { App }));
  let closed = 0;
  const countCloses = () => {
    const app = App();
    const close = app.close.bind(app);
    return Object.assign(app, { close: () => ((closed += 1), close()) });
  };
  Object.assign(uWS, { App: countCloses });
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => void taken.close());
  const address = { host: '127.0.0.1', port: (taken.address() as AddressInfo).port };
  const broken = () => {
    throw new Error('no routes');
  };
  const system = createActorSystem({ clock: realClock, log, metrics });
  for (const [serve, error] of [
    [broken, { message: 'no routes' }],
    [() => ({}), { code: 'PORT_IN_USE' }],
  ] as const) {
    closed = 0;
    const options = { listener: 'api', address, drainMs: 1000, clock: realClock, log, metrics, serve };
    const actor = system.spawn(`listener-${serve.name}`, listener(options)) as unknown as LiveActor;
    await new Promise<void>((resolve) => actor.onExit(() => resolve()));
    t.match(actor.exitReason, { kind: 'crashed', error });
    t.equal(closed, 1);
  }
  await system.stop();
});

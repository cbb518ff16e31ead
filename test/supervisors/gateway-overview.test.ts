import t from 'tap';
import type { GatewayDirectory, GatewayQuestion } from '../../actors/programs/gateway-process.ts';
import { createActorSystem } from '../../actors/kernel/actor-system.ts';
import { worker } from '../../supervisors/child-spec.ts';
import { Drain } from '../../supervisors/drain.ts';
import { overviewOf } from '../../supervisors/gateway-overview.ts';
import { ROOT, rootSpec } from '../../supervisors/root.ts';
import { supervisorDefinition } from '../../supervisors/supervisor.ts';
import { createPrometheusMetrics } from '../../transports/telemetry/prometheus-metrics.ts';
import { actor } from '../fixtures/actor-system.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { scriptedGateway } from '../fixtures/scripted-gateway.ts';
import { settled } from '../fixtures/settled.ts';
import { createMemoryLog } from '../fixtures/silent.ts';

/** A tree with these children under `vello/gateway`. */
async function grow(ids: readonly string[], isReady = () => true) {
  const [clock, log, metrics] = [createManualClock(), createMemoryLog(), createPrometheusMetrics()];
  const system = createActorSystem({ clock, log, metrics });
  const drain = new Drain(clock, log);
  const children = ids.map((id) =>
    worker(
      id,
      actor(() => undefined, { ready: isReady }),
    ),
  );
  const gateway = { strategy: 'oneForOne', intensity: 1, periodMs: 1000, children } as const;
  system.spawn(ROOT, supervisorDefinition(rootSpec({ gateway }), { random: () => 0 }));
  await settled();
  return { system, metrics, drain };
}

/** Two processes, of which the second never answers; `isReady` is what the actors of both say. */
async function setUp() {
  const inner = await grow(['stores', 'listener']);
  const outer = await grow(['process-1', 'process-2'], () => false);
  inner.metrics.gauge('vello_gateway_active_requests', {}, 5);
  inner.system.tell('vello/nobody', 'a dead letter');
  const [first, second] = [scriptedGateway(1), scriptedGateway(7)];
  const ask = async (question: GatewayQuestion): Promise<unknown> => {
    if (question.about === 'metrics') return inner.metrics.expose();
    return question.path === undefined ? inner.system.snapshot() : inner.system.snapshotOf(question.path);
  };
  const directory: GatewayDirectory = new Map([
    ['process-1', { ...first, health: first.health, ask }],
    ['process-2', { ...second, health: second.health, ask: () => Promise.reject(new Error('silent')) }],
  ]);
  return { first, second, directory, drain: outer.drain, view: overviewOf({ ...outer, directory }) };
}

t.test('the tree of each process hangs below its actor, and can be asked for from there', async (t) => {
  const { view } = await setUp();
  const whole = await view.actors(undefined);
  t.match(whole, {
    liveActors: 8,
    deadLetters: { counts: { unknown: 1 }, recent: [{ path: 'vello/nobody' }] },
    tree: [
      {
        path: 'vello',
        children: [
          {
            path: 'vello/gateway',
            children: [
              {
                path: 'vello/gateway/process-1',
                children: [
                  {
                    path: 'vello/gateway/process-1/vello',
                    children: [
                      {
                        path: 'vello/gateway/process-1/vello/gateway',
                        children: [{ path: 'vello/gateway/process-1/vello/gateway/stores' }, { id: 'listener' }],
                      },
                    ],
                  },
                ],
              },
              { path: 'vello/gateway/process-2', children: undefined },
            ],
          },
        ],
      },
    ],
  });
  const stores = 'vello/gateway/process-1/vello/gateway/stores';
  t.match(await view.actors(stores), { id: 'stores', path: stores });
  t.match(await view.actors('vello/gateway/process-2'), { id: 'process-2' });
  for (const path of [
    'vello/gateway/process-1/vello/nowhere',
    'vello/gateway/process-2/vello/gateway',
    'vello/gateway/process-9/vello',
    'nowhere',
  ]) {
    t.equal(await view.actors(path), undefined, path);
  }
});

t.test('the metrics of a process carry its slot; one that does not answer withholds nothing', async (t) => {
  const { view } = await setUp();
  const text = await view.metrics.expose();
  t.match(text, /^vello_gateway_active_requests\{slot="1"\} 5$/m);
  t.notMatch(text, /slot="7"/);
});

t.test('it is ready while one process serves, and says which do not', async (t) => {
  const { view, first, second, directory, drain } = await setUp();
  t.match(view.readiness(), { isReady: false });
  second.say({ isReady: true });
  directory.set('process-2', second);
  t.match(view.readiness(), {
    isReady: true,
    waitingFor: ['vello/gateway/process-1', 'vello/gateway/process-2'],
  });
  second.end('signal SIGKILL');
  t.match(view.readiness(), { isReady: false });
  first.say({ isReady: true });
  directory.set('process-1', first);
  t.match(view.readiness(), { isReady: true });
  await drain.run(1000);
  t.match(view.readiness(), { isReady: false, waitingFor: ['draining'] });
});

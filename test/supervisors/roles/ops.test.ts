import t from 'tap';
import { createActorSystem } from '../../../actors/kernel/actor-system.ts';
import { Drain } from '../../../supervisors/drain.ts';
import { opsRole } from '../../../supervisors/roles/ops.ts';
import { ROOT, runRoot } from '../../../supervisors/root.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { createPrometheusMetrics } from '../../../transports/telemetry/prometheus-metrics.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';
import { findFreePort } from '../../../transports/process/free-port.ts';

t.test('a process shows its tree and its readiness from outside, and closes the listener when it ends', async (t) => {
  const log = createMemoryLog();
  const metrics = createPrometheusMetrics();
  const system = createActorSystem({ clock: systemClock, log, metrics });
  const drain = new Drain(systemClock, log);
  const parts = { clock: systemClock, log, metrics, system, drain };
  const port = await findFreePort();
  let stop = (): void => undefined;
  const code = runRoot({
    ...parts,
    roles: { ops: opsRole(parts, { adminHosts: undefined, adminListen: { host: '127.0.0.1', port } }) },
    drainMs: 1000,
    random: () => 0,
    onStop: (handlers) => {
      stop = () => handlers.orderly('SIGTERM');
      return () => undefined;
    },
  });
  const url = `http://127.0.0.1:${port}`;
  while (!log.lines.some(({ message }) => message === 'listening')) await new Promise((r) => setImmediate(r));
  await new Promise((r) => setImmediate(r));
  const ready = await fetch(`${url}/health/ready`);
  t.strictSame(await ready.json(), { status: 'ready', waiting_for: [], problems: {} });
  t.match(await (await fetch(`${url}/actors`)).json(), {
    tree: [
      {
        id: ROOT,
        supervision: { strategy: 'restForOne', intensity: 3, restartsUsed: 0 },
        children: [
          { id: 'ops', restart: 'permanent', restarts: 0, children: [{ id: 'process-metrics' }, { id: 'listener' }] },
        ],
      },
    ],
  });
  stop();
  t.equal(await code, 0);
  await t.rejects(fetch(`${url}/health/live`));
});

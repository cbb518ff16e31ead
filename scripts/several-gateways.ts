/** `vello start --processes`: a tree whose gateway is several processes, each started with the settings that this process has settled. */
import { fileURLToPath } from 'node:url';
import type { GatewayProcess } from '../actors/programs/gateway-process.ts';
import { SETTINGS, type Settings } from '../config/settings.ts';
import type { SupervisorSpec } from '../supervisors/child-spec.ts';
import { composeGatewayProcesses } from '../supervisors/compose-gateways.ts';
import type { OpsParts } from '../supervisors/roles/ops.ts';
import type { RootChild } from '../supervisors/root.ts';
import { startGatewayChild } from '../transports/process/gateway-child.ts';
import type { GatewaySlots } from '../transports/process/gateway-files.ts';
import type { Home } from './foundation/home.ts';
import type { StartWatch } from './start-watch.ts';

export interface SeveralGatewaysOptions {
  readonly parts: OpsParts;
  readonly count: number;
  readonly settings: Settings;
  readonly home: Home;
  readonly slots: GatewaySlots;
  readonly inferenceKey: string;
  readonly watch: StartWatch;
}

export interface SeveralGateways {
  readonly roles: Partial<Record<RootChild, SupervisorSpec>>;
  endAtOnce(): void;
}

/** Where the file stands is settled once, what stands in it is read at each start: so a new version comes in without an end of the old. */
const ENTRY = fileURLToPath(new URL('./gateway-process.js', import.meta.url));

export function severalGateways(options: SeveralGatewaysOptions): SeveralGateways {
  const { parts, count, settings, home, slots, watch } = options;
  const running = new Set<GatewayProcess>();

  const start = async (signal: AbortSignal): Promise<GatewayProcess> => {
    const slot = slots.take();
    try {
      const started = await startGatewayChild({
        ...{ entry: ENTRY, slot, signal },
        environment: environmentOf(options),
        logFile: home.file('logs', `gateway-${slot}.log`),
        outputFile: home.file('logs', `gateway-${slot}.out`),
      });
      running.add(started);
      void started.ended.then(() => {
        running.delete(started);
        slots.release(slot);
      });
      return started;
    } catch (error) {
      slots.release(slot);
      throw error;
    }
  };

  const roles = composeGatewayProcesses(
    {
      ...{ ...parts, count, directory: new Map() },
      start: (id, signal) => watch.observe(`Gateway ${id} started`, () => start(signal)),
      isOwed: () => slots.isOwed,
      onRenewal: (renewals) => {
        try {
          home.tell(renewals);
        } catch (error) {
          parts.log.warn('vello restart cannot be told how far it is', { error });
        }
      },
    },
    settings,
  );
  return {
    roles,
    endAtOnce: () => {
      for (const process of running) process.signal('SIGKILL');
    },
  };
}

function environmentOf({ settings, home, inferenceKey }: SeveralGatewaysOptions): NodeJS.ProcessEnv {
  const { host, port } = settings.gatewayListen;
  return {
    ...process.env,
    [SETTINGS.home.variable]: home.path,
    [SETTINGS.gatewayListen.variable]: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    [SETTINGS.inferenceKey.variable]: inferenceKey,
  };
}

/** Holds the configuration in force. A swap is one assignment: requests under way keep the snapshot they began with. */
import type { GatewayConfig } from './gateway-config.ts';

export interface ConfigHolder {
  readonly current: () => GatewayConfig;
  swap(next: GatewayConfig): void;
}

export function createConfigHolder(initial: GatewayConfig): ConfigHolder {
  let config = initial;
  return {
    current: () => config,
    swap: (next) => (config = next),
  };
}

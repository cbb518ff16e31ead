/** The gateway as several processes. Apart from the other roles, which cost a process that has none of them time and memory. */
import type { Settings } from '../config/settings.ts';
import type { SupervisorSpec } from './child-spec.ts';
import { overviewOf } from './gateway-overview.ts';
import { createGatewayParts, type GatewayOptions } from './gateway-parts.ts';
import { gatewayProcessesRole, type GatewayProcessesParts } from './roles/gateway-processes.ts';
import { gatewayRole } from './roles/gateway.ts';
import { innerOpsRole, opsRole, type OpsParts } from './roles/ops.ts';
import type { RootChild } from './root.ts';

/** What runs in the process that starts the others. */
export function composeGatewayProcesses(
  parts: OpsParts & GatewayProcessesParts,
  settings: Settings,
): Partial<Record<RootChild, SupervisorSpec>> {
  return { gateway: gatewayProcessesRole(parts, settings), ops: opsRole(parts, settings, overviewOf(parts)) };
}

/** And in each of those. */
export function composeGatewayProcess(
  options: GatewayOptions & Pick<OpsParts, 'metrics'>,
  settings: Settings,
): Partial<Record<RootChild, SupervisorSpec>> {
  return { gateway: gatewayRole(createGatewayParts(options), settings), ops: innerOpsRole(options.metrics) };
}

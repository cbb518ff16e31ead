/** The chosen roles, each made of its parts: what stands behind its ports is chosen in the `*-parts.ts` files, what runs in `roles/`. */
import { join } from 'node:path';
import { slotFolder } from '../transports/process/gateway-files.ts';
import { createMoonshineEngine } from '../transports/speech/moonshine-engine.ts';
import { createApiParts } from './api-parts.ts';
import type { SupervisorSpec } from './child-spec.ts';
import { createCollectorParts } from './collector-parts.ts';
import type { Foundation } from './foundation.ts';
import { createGatewayParts } from './gateway-parts.ts';
import { apiRole } from './roles/api.ts';
import { collectorRole } from './roles/collector.ts';
import { gatewayRole } from './roles/gateway.ts';
import { inferenceRole } from './roles/inference.ts';
import { opsRole } from './roles/ops.ts';
import type { RootChild } from './root.ts';

/** And `ops`, which belongs to every process. */
export function composeRoles(
  foundation: Foundation,
  chosen: readonly string[],
): Partial<Record<RootChild, SupervisorSpec>> {
  const { settings, model, otherModels } = foundation;
  const alone = { folder: slotFolder(join(settings.home, 'gateway'), 1), sharesPort: false };
  const engine = () => createMoonshineEngine({ model, others: otherModels });
  return {
    ...(chosen.includes('api') && { api: apiRole(createApiParts(foundation), settings) }),
    ...(chosen.includes('gateway') && {
      gateway: gatewayRole(createGatewayParts({ ...foundation, ...alone }), settings),
    }),
    ...(chosen.includes('collector') && { collector: collectorRole(createCollectorParts(foundation)) }),
    ...(chosen.includes('inference') && { inference: inferenceRole({ ...foundation, engine: engine() }, settings) }),
    ops: opsRole(foundation, settings),
  };
}

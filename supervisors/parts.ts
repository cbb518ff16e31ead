/** Chooses the implementation of each port and composes the roles from them. The only place that does. */
import { deriveIdentitySecrets } from '../actors/crypto/secrets.ts';
import type { ActorSystem } from '../actors/kernel/actor-system.ts';
import type { Clock } from '../actors/ports/clock.ts';
import type { Log } from '../actors/ports/log.ts';
import { localUrlOf } from '../config/parse-setting.ts';
import type { Settings } from '../config/settings.ts';
import type { ServiceKey } from '../transports/process/service-key.ts';
import type { PrometheusMetrics } from '../transports/telemetry/prometheus-metrics.ts';
import type { ModelFiles } from '../transports/speech/models/fetch-model.ts';
import type { LanguageModel } from '../transports/speech/models/language-models.ts';
import { apiLogins, openApiStores } from './api-stores.ts';

import { createMoonshineEngine } from '../transports/speech/moonshine-engine.ts';
import type { SupervisorSpec } from './child-spec.ts';
import { createCollectorParts } from './collector-parts.ts';
import type { Drain } from './drain.ts';
import { createGatewayParts } from './gateway-parts.ts';
import { apiRole } from './roles/api.ts';
import { collectorRole } from './roles/collector.ts';
import { gatewayRole } from './roles/gateway.ts';
import { inferenceRole } from './roles/inference.ts';
import { opsRole } from './roles/ops.ts';
import type { Role } from './root.ts';

/** What is settled before the tree starts. */
export interface Foundation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: PrometheusMetrics;
  readonly system: ActorSystem;
  readonly drain: Drain;
  /** As administrator of the database; roles log in with passwords derived from `secretKey`. */
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly secretKey: string;
  /** Of this build. */
  readonly version: string;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  readonly inferenceKey: string;
  /** By which the collector signs; its public half is registered with the schema. */
  readonly collectorKey: ServiceKey;
  /** The verified files of the speech model, fetched before the tree starts. */
  readonly model: () => Promise<ModelFiles>;
  /** And of those that the operator added. */
  readonly otherModels: readonly LanguageModel[];
}

/** The chosen roles, and `ops`, which belongs to every process. */
export function composeRoles(foundation: Foundation, chosen: readonly string[]): Partial<Record<Role, SupervisorSpec>> {
  return {
    ...(chosen.includes('api') ? { api: composeApi(foundation) } : {}),
    ...(chosen.includes('gateway') ? { gateway: composeGateway(foundation) } : {}),
    ...(chosen.includes('collector') ? { collector: composeCollector(foundation) } : {}),
    ...(chosen.includes('inference') ? { inference: composeInference(foundation) } : {}),
    ops: opsRole(foundation, foundation.settings),
  };
}

function composeApi(foundation: Foundation): SupervisorSpec {
  const { settings, secretKey } = foundation;
  const secrets = deriveIdentitySecrets(secretKey);
  const laterPeppers = new Map([...settings.fingerprintPeppers].map(([version, text]) => [version, Buffer.from(text)]));
  const options = { ...foundation, secrets, devicesPerHardware: settings.devicesPerHardware, laterPeppers };
  const logins = apiLogins(foundation.databaseUrl, secrets);
  return apiRole({ ...foundation, logins, open: (onRevoked) => openApiStores({ ...options, onRevoked }) }, settings);
}

const composeGateway = (foundation: Foundation): SupervisorSpec =>
  gatewayRole(createGatewayParts(foundation), foundation.settings);

const composeCollector = ({ settings, redisUrl, collectorKey, clock, log, metrics }: Foundation): SupervisorSpec =>
  collectorRole(
    createCollectorParts({
      redisUrl,
      apiUrl: settings.apiUrl ?? localUrlOf(settings.apiListen),
      key: collectorKey,
      clock,
      log,
      metrics,
    }),
  );

const composeInference = ({ model, otherModels, ...foundation }: Foundation): SupervisorSpec =>
  inferenceRole({ ...foundation, engine: createMoonshineEngine({ model, others: otherModels }) }, foundation.settings);

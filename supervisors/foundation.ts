/** What is settled before the tree starts, and handed down from its root. */
import type { ActorSystem } from '../actors/kernel/actor-system.ts';
import type { Clock } from '../actors/ports/clock.ts';
import type { DrainPlan } from '../actors/ports/drain.ts';
import type { Log } from '../actors/ports/log.ts';
import type { Metrics } from '../actors/ports/metrics.ts';
import type { Settings } from '../config/settings.ts';
import type { ServiceKey } from '../transports/process/service-key.ts';
import type { ModelFiles } from '../transports/speech/models/fetch-model.ts';
import type { LanguageModel } from '../transports/speech/models/language-models.ts';
import type { PrometheusMetrics } from '../transports/telemetry/prometheus-metrics.ts';
import type { Drain } from './drain.ts';

/** What every role is given. */
export interface CommonParts {
  readonly clock: Clock;
  readonly drain: DrainPlan;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface Foundation extends CommonParts {
  readonly settings: Settings;
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
  /** By which the collector signs, made when first asked for; its public half is registered with the schema. */
  readonly collectorKey: () => ServiceKey;
  /** The verified files of the speech model, fetched before the tree starts. */
  readonly model: () => Promise<ModelFiles>;
  /** And of those that the operator added. */
  readonly otherModels: readonly LanguageModel[];
}

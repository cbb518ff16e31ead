/** Chooses what stands behind the collector's ports: Redis Streams, and the api over signed HTTP. Nothing is opened before its actors start. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../actors/ports/clock.ts';
import type { Log } from '../actors/ports/log.ts';
import type { Metrics } from '../actors/ports/metrics.ts';
import { createJobsClient } from '../transports/http/calls/jobs-client.ts';
import { createServiceClient } from '../transports/http/calls/service-client.ts';
import type { ServiceKey } from '../transports/process/service-key.ts';
import { createRedisEventStreams } from '../transports/redis/streams/event-stream.ts';
import type { CollectorParts } from './roles/collector.ts';

/** The service account of all collectors. */
export const COLLECTOR_SERVICE = { serviceId: 'collector', description: 'Brings usage events to the api.' } as const;

export interface CollectorOptions {
  readonly redisUrl: string;
  readonly apiUrl: string;
  /** Its public half must be registered under `COLLECTOR_SERVICE`. */
  readonly key: ServiceKey;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export function createCollectorParts(options: CollectorOptions): CollectorParts {
  const { redisUrl, apiUrl, key, clock, log, metrics } = options;
  const client = createServiceClient({ apiUrl, serviceId: key.serviceId, privateKey: key.privateKey, clock });
  return {
    streams: createRedisEventStreams({ url: redisUrl, log, metrics }),
    api: createJobsClient(client),
    metrics,
    // Process ids return, also across hosts that share a name: the random part makes the name this life's own.
    consumer: `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`,
  };
}

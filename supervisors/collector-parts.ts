/** Chooses what stands behind the collector's ports: Redis Streams, and the api over signed HTTP. Nothing is opened before its actors start. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { EventStreams } from '../actors/intake/event-stream.ts';
import type { JobsApi } from '../actors/intake/jobs-api.ts';
import type { Metrics } from '../actors/ports/metrics.ts';
import { localUrlOf } from '../config/parse-setting.ts';
import type { Settings } from '../config/settings.ts';
import { createJobsClient } from '../transports/http/calls/jobs-client.ts';
import { createServiceClient } from '../transports/http/calls/service-client.ts';
import type { ServiceKey } from '../transports/process/service-key.ts';
import { createEventStreams } from '../transports/redis/streams/event-stream.ts';
import type { CommonParts } from './foundation.ts';

/** The service account of all collectors. */
export const COLLECTOR_SERVICE = { serviceId: 'collector', description: 'Brings usage events to the api.' } as const;

export interface CollectorParts {
  readonly streams: EventStreams;
  readonly api: JobsApi;
  readonly metrics: Metrics;
  /** Names this process among all collectors, and no other that ever ran: host, process id, a random part. */
  readonly consumer: string;
}

export interface CollectorOptions extends Omit<CommonParts, 'drain'> {
  readonly settings: Pick<Settings, 'apiUrl' | 'apiListen'>;
  readonly redisUrl: string;
  /** Its public half must be registered under `COLLECTOR_SERVICE`. */
  readonly collectorKey: () => ServiceKey;
}

export function createCollectorParts(options: CollectorOptions): CollectorParts {
  const { settings, redisUrl, collectorKey, clock, log, metrics } = options;
  const apiUrl = settings.apiUrl ?? localUrlOf(settings.apiListen);
  return {
    streams: createEventStreams({ url: redisUrl, log, metrics }),
    api: createJobsClient(createServiceClient({ ...collectorKey(), apiUrl, clock })),
    metrics,
    // Process ids return, also across hosts that share a name: the random part makes the name this life's own.
    consumer: `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`,
  };
}

/** Names of the event streams and their consumer group (contract §5). Who writes and who reads them is decided elsewhere. */

/** With Redis Cluster the prefix is the hash tag `{modelsgateway}`, which keeps all streams in one slot, as the scripts need. */
export type StreamPrefix = 'modelsgateway' | '{modelsgateway}';

export const EVENT_STREAMS = ['transcribe', 'process', 'dlq', 'dead'] as const;
export type EventStreamKind = (typeof EVENT_STREAMS)[number];

export const streamKey = (kind: EventStreamKind, prefix: StreamPrefix = 'modelsgateway'): string =>
  `${prefix}:events:${kind}`;

export const COLLECTOR_GROUP = 'job-collector-group';

/** Unix milliseconds at which Redis took an entry: the first half of its id. */
export const entryTimeMs = (id: string): number => Number(id.split('-', 1)[0]);

/** The metric catalogue: every name the processes expose, its kind, labels, buckets and help. Labels are small enumerations, never ids. */

interface Declared {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

export const METRICS = {
  vello_actor_ask_seconds: {
    kind: 'histogram',
    help: 'From an ask to its end, by the type that was asked.',
    labels: ['type'],
    buckets: SECONDS,
  },
  vello_actor_asks_total: {
    kind: 'counter',
    help: 'Asks by the type that was asked and their end: ok, failed, timeout, target_stopped, mailbox_full.',
    labels: ['type', 'outcome'],
  },
  vello_actor_dead_letters_total: {
    kind: 'counter',
    help: 'Messages that reached nobody: stopped, stale_incarnation, mailbox_full, expired_ask, unknown.',
    labels: ['type', 'reason'],
  },
  vello_actor_failures_total: { kind: 'counter', help: 'Handlers, starts and stops that failed.', labels: ['type'] },
  vello_actor_handler_seconds: {
    kind: 'histogram',
    help: 'Time in a handler; messages handled in one turn count as equals.',
    labels: ['type'],
    buckets: SECONDS,
  },
  vello_actor_live: { kind: 'gauge', help: 'Living actors.', labels: ['type'] },
  vello_actor_mailbox_depth_max: { kind: 'gauge', help: 'Messages in the deepest mailbox.', labels: ['type'] },
  vello_actor_mailbox_messages: { kind: 'gauge', help: 'Messages in all mailboxes.', labels: ['type'] },
  vello_actor_mailbox_dropped_total: { kind: 'counter', help: 'Messages a full mailbox lost.', labels: ['type'] },
  vello_actor_mailbox_wait_seconds: {
    kind: 'histogram',
    help: 'How long messages waited in a mailbox until the turn that handled them.',
    labels: ['type'],
    buckets: SECONDS,
  },
  vello_actor_messages_total: { kind: 'counter', help: 'Messages handed to a handler.', labels: ['type'] },
  vello_actor_restart_budgets_exhausted_total: {
    kind: 'counter',
    help: 'Supervisors that gave up restarting.',
    labels: ['type'],
  },
  vello_actor_restarts_total: { kind: 'counter', help: 'Incarnations after the first.', labels: ['type'] },
  vello_actor_started_total: { kind: 'counter', help: 'Starts that succeeded.', labels: ['type'] },
  vello_actor_stopped_total: {
    kind: 'counter',
    help: 'Incarnations that ended: normal, shutdown, killed, crashed.',
    labels: ['type', 'reason'],
  },
  vello_actor_stuck: { kind: 'gauge', help: 'Actors whose handler is past its deadline.', labels: ['type'] },

  vello_event_attempts: {
    kind: 'histogram',
    help: 'Runs that an event took until it was settled or abandoned.',
    labels: ['stream'],
    buckets: [1, 2, 3, 4],
  },
  vello_event_post_seconds: {
    kind: 'histogram',
    help: 'One post of a batch of events to the api.',
    labels: ['stream'],
    buckets: SECONDS,
  },
  vello_event_settle_seconds: {
    kind: 'histogram',
    help: 'From the entry in the stream to its acknowledgement.',
    labels: ['stream'],
    buckets: [...SECONDS, 60, 300],
  },
  vello_events_in_flight: { kind: 'gauge', help: 'Events read and not yet settled.', labels: ['stream'] },
  vello_events_total: {
    kind: 'counter',
    help: 'Events by what became of them: settled, duplicate, deferred, abandoned, buried, lost.',
    labels: ['stream', 'outcome'],
  },
  vello_stream_claimed_total: { kind: 'counter', help: 'Entries taken over from a dead consumer.', labels: ['stream'] },
  vello_stream_groups_recreated_total: {
    kind: 'counter',
    help: 'Consumer groups that Redis had lost and that were made again.',
    labels: ['stream'],
  },
  vello_stream_length: { kind: 'gauge', help: 'Entries in the stream, which is its backlog.', labels: ['stream'] },
  vello_stream_oldest_seconds: { kind: 'gauge', help: 'Age of the oldest entry of the stream.', labels: ['stream'] },
  vello_stream_pending: { kind: 'gauge', help: 'Entries that a consumer owns.', labels: ['stream'] },
  vello_gateway_active_requests: {
    kind: 'gauge',
    help: 'Requests that are admitted, or ask for it, and are not yet finished.',
    labels: [],
  },
  vello_gateway_bytes_total: { kind: 'counter', help: 'Body bytes from and to clients.', labels: ['direction'] },
  vello_gateway_events_total: {
    kind: 'counter',
    help: 'Usage events on their stream, by how they came there: `direct`, or `replayed` after an outage or a restart.',
    labels: ['way'],
  },
  vello_gateway_events_waiting: { kind: 'gauge', help: 'Usage events that are not yet on the stream.', labels: [] },
  vello_gateway_grant_lookups_total: {
    kind: 'counter',
    help: 'Access tokens looked up, by what was known of them.',
    labels: ['result'],
  },
  vello_gateway_grants: { kind: 'gauge', help: 'Grants in memory.', labels: [] },
  vello_gateway_live_sessions: { kind: 'gauge', help: 'Live transcriptions under way.', labels: [] },
  vello_gateway_live_sockets_total: {
    kind: 'counter',
    help: 'Upgrades to a live transcription: opened, resumed, or the code of the refusal.',
    labels: ['result'],
  },
  vello_gateway_orphaned_answers: {
    kind: 'gauge',
    help: 'Answers that are read to their end for clients that left.',
    labels: [],
  },
  vello_gateway_overhead_seconds: {
    kind: 'histogram',
    help: 'From the request line to the call of the provider.',
    labels: ['route'],
    buckets: SECONDS,
  },
  vello_gateway_requests_total: { kind: 'counter', help: 'Requests by outcome.', labels: ['route', 'outcome'] },
  vello_gateway_ttft_seconds: {
    kind: 'histogram',
    help: 'From the request line to the first byte of the answer, the upload included.',
    labels: ['route'],
    buckets: SECONDS,
  },
  vello_gateway_upstream_connections: {
    kind: 'gauge',
    help: 'Connections to providers.',
    labels: ['provider', 'state'],
  },
  vello_gateway_upstream_seconds: {
    kind: 'histogram',
    help: 'From the call of the provider to the first byte of its answer.',
    labels: ['provider'],
    buckets: SECONDS,
  },

  vello_http_requests_total: { kind: 'counter', help: 'HTTP answers.', labels: ['listener', 'route', 'status'] },
  vello_http_request_seconds: {
    kind: 'histogram',
    help: 'From the request line to the last byte of the answer.',
    labels: ['listener', 'route'],
    buckets: SECONDS,
  },
  vello_http_requests_in_flight: { kind: 'gauge', help: 'HTTP requests being answered.', labels: ['listener'] },

  vello_node_event_loop_delay_seconds: {
    kind: 'gauge',
    help: 'Delay of the event loop since the last scrape, by percentile (100: the worst).',
    labels: ['percentile'],
  },
  vello_node_event_loop_utilization: {
    kind: 'gauge',
    help: 'Share of time since the last scrape in which the event loop worked, 0 to 1.',
    labels: [],
  },
  vello_node_memory_bytes: { kind: 'gauge', help: 'Memory: resident, heap, external.', labels: ['kind'] },
  vello_node_uptime_seconds: { kind: 'gauge', help: 'Since the process started.', labels: [] },

  vello_session_closes_total: { kind: 'counter', help: 'Closed desktop sockets, by close code.', labels: ['code'] },
  vello_session_messages_total: {
    kind: 'counter',
    help: 'Numbered messages sent to desktops, by what prompted it: outbox, notice.',
    labels: ['type', 'origin'],
  },
  vello_session_sockets: { kind: 'gauge', help: 'Open desktop sockets.', labels: [] },
  vello_session_upgrades_total: {
    kind: 'counter',
    help: 'Upgrade requests of desktops: accepted, aborted, or the code of the refusal.',
    labels: ['result'],
  },

  vello_recognised_audio_seconds_total: { kind: 'counter', help: 'Speech recognised.', labels: ['engine'] },
  vello_recognisers: {
    kind: 'gauge',
    help: 'Recognisers that have their model loaded, by what they do: busy, idle.',
    labels: ['engine', 'state'],
  },
  vello_recognition_seconds: {
    kind: 'histogram',
    help: 'Work on one recording.',
    labels: ['engine'],
    buckets: [...SECONDS, 60, 300],
  },
  vello_recognition_wait_seconds: {
    kind: 'histogram',
    help: 'From the request to a free recogniser.',
    labels: ['engine'],
    buckets: [...SECONDS, 60],
  },
  vello_recognitions_total: {
    kind: 'counter',
    help: 'Recordings, and stretches of live speech, by what became of them: ok, refused (no readable audio), aborted, busy (no room), failed.',
    labels: ['engine', 'outcome'],
  },
  vello_recognitions_waiting: { kind: 'gauge', help: 'Recordings waiting for a recogniser.', labels: ['engine'] },
} as const satisfies Record<string, Declared>;

type Catalogue = typeof METRICS;
export type MetricName = keyof Catalogue;
type NamesOf<K extends Declared['kind']> = {
  [N in MetricName]: Catalogue[N]['kind'] extends K ? N : never;
}[MetricName];
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
export type HistogramName = NamesOf<'histogram'>;
export type LabelsOf<N extends MetricName> = Readonly<Record<Catalogue[N]['labels'][number], string>>;

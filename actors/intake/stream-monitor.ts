/** The collector's health monitor: measures every stream's depth, and is ready only while Redis answers. */
import type { EventStreamKind } from '../../config/streams.ts';
import type { ActorDefinition } from '../kernel/actor.ts';
import type { EventStream, EventStreams } from './event-stream.ts';
import type { Metrics } from '../ports/metrics.ts';

interface MonitorMessage {
  readonly type: 'measure';
}

export interface StreamMonitorParts {
  readonly streams: EventStreams;
  readonly metrics: Metrics;
}

const MEASURE_EVERY_MS = 5000;

export function streamMonitor(
  kinds: readonly EventStreamKind[],
  { streams, metrics }: StreamMonitorParts,
): ActorDefinition<MonitorMessage> {
  return {
    type: 'stream-monitor',
    start: async (ctx) => {
      const opened: EventStream[] = [];
      const close = () => opened.forEach((stream) => stream.close());
      try {
        for (const kind of kinds) opened.push(await streams.open(kind));
      } catch (error) {
        close();
        throw error;
      }
      ctx.timers.every('measure', MEASURE_EVERY_MS, { type: 'measure' });
      ctx.self.tell({ type: 'measure' });
      return {
        receive: async () => {
          for (const stream of opened) {
            const { length, pending, oldestMs } = await stream.depth();
            metrics.gauge('vello_stream_length', { stream: stream.kind }, length);
            metrics.gauge('vello_stream_pending', { stream: stream.kind }, pending);
            metrics.gauge('vello_stream_oldest_seconds', { stream: stream.kind }, oldestMs / 1000);
          }
        },
        stop: close,
      };
    },
  };
}

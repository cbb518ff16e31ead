/** How the process itself fares: event loop, memory, uptime. Read at each scrape. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { ActorDefinition } from '../../actors/kernel/actor.ts';
import { owned } from '../../actors/kernel/owned.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';

const RESOLUTION_MS = 20;

/** Measures while it runs. */
export const processMetrics = (metrics: Metrics): ActorDefinition<never> =>
  owned('process-metrics', () => ({ close: publishProcessMetrics(metrics) }));

/** Starts measuring; returns the way to stop. */
export function publishProcessMetrics(metrics: Metrics): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let utilization = performance.eventLoopUtilization();
  const forget = metrics.onScrape(() => {
    for (const percentile of [50, 99, 100]) {
      // The histogram counts the sampling interval itself as delay.
      const delayMs = Math.max(0, delay.percentile(percentile) / 1e6 - RESOLUTION_MS);
      metrics.gauge('vello_node_event_loop_delay_seconds', { percentile: String(percentile) }, delayMs / 1000);
    }
    delay.reset();
    const now = performance.eventLoopUtilization();
    metrics.gauge(
      'vello_node_event_loop_utilization',
      {},
      performance.eventLoopUtilization(now, utilization).utilization,
    );
    utilization = now;
    const { rss, heapUsed, external } = process.memoryUsage();
    metrics.gauge('vello_node_memory_bytes', { kind: 'resident' }, rss);
    metrics.gauge('vello_node_memory_bytes', { kind: 'heap' }, heapUsed);
    metrics.gauge('vello_node_memory_bytes', { kind: 'external' }, external);
    metrics.gauge('vello_node_uptime_seconds', {}, process.uptime());
  });
  return () => {
    forget();
    delay.disable();
  };
}

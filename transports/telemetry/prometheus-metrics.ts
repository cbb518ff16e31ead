/** The Metrics port as a Prometheus exposition. Everything that `config/metrics.ts` declares exists from the start; nothing else can. */
import { Counter, Gauge, Registry, type Metric } from 'prom-client';
import type { Metrics } from '../../actors/ports/metrics.ts';
import { METRICS, type MetricName } from '../../config/metrics.ts';
import { BucketHistogram } from './bucket-histogram.ts';

export interface PrometheusMetrics extends Metrics {
  /** The exposition text, after every `onScrape` callback has run. */
  expose(): Promise<string>;
  readonly contentType: string;
}

export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new Registry();
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, BucketHistogram>();
  const collectors = new Set<() => void>();

  for (const name of Object.keys(METRICS) as MetricName[]) {
    const declared = METRICS[name];
    const options = { name, help: declared.help, labelNames: [...declared.labels], registers: [registry] };
    if (declared.kind === 'counter') counters.set(name, new Counter(options));
    else if (declared.kind === 'gauge') gauges.set(name, new Gauge(options));
    else {
      const histogram = new BucketHistogram(name, declared.help, declared.buckets);
      histograms.set(name, histogram);
      // The registry asks a metric for nothing but what BucketHistogram has; the declaration names the library's own classes.
      registry.registerMetric(histogram as unknown as Metric);
    }
  }

  return {
    contentType: registry.contentType,
    count: (name, labels, by = 1) => counters.get(name)?.inc(labels, by),
    gauge: (name, labels, value) => gauges.get(name)?.set(labels, value),
    observe: (name, labels, value) => histograms.get(name)?.observe(labels, value),
    addObservations: (name, labels, counts, sum) => histograms.get(name)?.add(labels, counts, sum),
    onScrape: (collect) => {
      collectors.add(collect);
      return () => void collectors.delete(collect);
    },
    expose: () => {
      for (const collect of collectors) collect();
      return registry.metrics();
    },
  };
}

/** The Metrics port as a Prometheus exposition. Everything that `config/metrics.ts` declares exists from the start; nothing else can. */
import { Gauge, Registry, type Metric } from 'prom-client';
import type { Metrics } from '../../actors/ports/metrics.ts';
import { METRICS, type MetricName } from '../../config/metrics.ts';
import { BucketHistogram } from './bucket-histogram.ts';
import { SummedCounter } from './summed-counter.ts';

export interface PrometheusMetrics extends Metrics {
  /** The exposition text, after every `onScrape` callback has run. */
  expose(): Promise<string>;
  readonly contentType: string;
}

export function createPrometheusMetrics(): PrometheusMetrics {
  const registry = new Registry();
  const counters = new Map<string, SummedCounter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, BucketHistogram>();
  const collectors = new Set<() => void>();
  // The registry asks a metric for nothing but what ours have; the declaration names the library's own classes.
  const register = (metric: SummedCounter | BucketHistogram) => registry.registerMetric(metric as unknown as Metric);

  for (const name of Object.keys(METRICS) as MetricName[]) {
    const { help, labels, ...declared } = METRICS[name];
    if (declared.kind === 'gauge') {
      gauges.set(name, new Gauge({ name, help, labelNames: [...labels], registers: [registry] }));
    } else if (declared.kind === 'counter') {
      const counter = new SummedCounter(name, help, labels);
      counters.set(name, counter);
      register(counter);
    } else {
      const histogram = new BucketHistogram(name, help, labels, declared.buckets);
      histograms.set(name, histogram);
      register(histogram);
    }
  }

  return {
    contentType: registry.contentType,
    count: (name, labels, by = 1) => counters.get(name)?.add(labels, by),
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

/** Where measurements go. Names, labels and buckets are declared in `config/metrics.ts`; an undeclared name does not compile. */
import type { CounterName, GaugeName, HistogramName, LabelsOf } from '../../config/metrics.ts';

export interface Metrics {
  /** Adds `by` (default 1) to a counter. */
  count<N extends CounterName>(name: N, labels: LabelsOf<N>, by?: number): void;
  /** Sets a gauge. */
  gauge<N extends GaugeName>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Records one observation, in the unit the metric's name ends with (seconds, bytes). */
  observe<N extends HistogramName>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Adds observations that were counted elsewhere: how many per bucket of the metric, one more for those above, and their sum. */
  addObservations<N extends HistogramName>(
    name: N,
    labels: LabelsOf<N>,
    countsByBucket: ArrayLike<number>,
    sum: number,
  ): void;
  /** Registers a callback that sets gauges just before each scrape, so that nothing is paid while nobody looks. Returns the way to take it out again. */
  onScrape(collect: () => void): () => void;
}

/** A histogram for prom-client's registry that also takes observations counted elsewhere, which the library's own cannot. */
import { LabelledSeries, type Labels } from './labelled-series.ts';

interface Series {
  readonly labels: Labels;
  /** Per bucket, not yet added up; the last one holds what is above all bounds. */
  readonly counts: Float64Array;
  sum: number;
}

export class BucketHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly #bounds: readonly number[];
  readonly #series: LabelledSeries<Series>;

  constructor(name: string, help: string, labelNames: readonly string[], bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
    this.#series = new LabelledSeries(labelNames, (labels) => ({
      labels,
      counts: new Float64Array(bounds.length + 1),
      sum: 0,
    }));
  }

  observe(labels: Labels, value: number): void {
    const series = this.#series.of(labels);
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] ?? Infinity)) bucket += 1;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.sum += value;
  }

  add(labels: Labels, countsByBucket: ArrayLike<number>, sum: number): void {
    const series = this.#series.of(labels);
    const last = Math.min(countsByBucket.length, series.counts.length);
    for (let bucket = 0; bucket < last; bucket += 1) {
      series.counts[bucket] = (series.counts[bucket] ?? 0) + (countsByBucket[bucket] ?? 0);
    }
    series.sum += sum;
  }

  /** What the registry prints: cumulative buckets, sum and count of every series. */
  async get(): Promise<object> {
    const values = this.#series.all.flatMap((series) => this.#valuesOf(series));
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values };
  }

  #valuesOf({ labels, counts, sum }: Series): object[] {
    let seen = 0;
    const buckets = Array.from(counts, (count, bucket) => {
      seen += count;
      const le = this.#bounds[bucket] ?? '+Inf';
      return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: seen };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: seen },
    ];
  }
}

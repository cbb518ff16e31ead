/** A counter for prom-client's registry. The library's own validates and hashes its labels with every count, which costs as much as admitting a request. */
import { LabelledSeries, type Labels } from './labelled-series.ts';

interface Sum {
  readonly labels: Labels;
  value: number;
}

export class SummedCounter {
  readonly name: string;
  readonly help: string;
  readonly type = 'counter';
  readonly aggregator = 'sum';
  readonly #series: LabelledSeries<Sum>;

  constructor(name: string, help: string, labelNames: readonly string[]) {
    this.name = name;
    this.help = help;
    this.#series = new LabelledSeries(labelNames, (labels) => ({ labels, value: 0 }));
    // A series that needs no labels is there before its first count.
    if (labelNames.length === 0) this.add({}, 0);
  }

  add(labels: Labels, by: number): void {
    this.#series.of(labels).value += by;
  }

  /** What the registry prints. */
  async get(): Promise<object> {
    return { name: this.name, help: this.help, type: this.type, aggregator: this.aggregator, values: this.#series.all };
  }
}

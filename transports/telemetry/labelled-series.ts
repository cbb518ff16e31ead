/** The series of one metric, each found by the values of its labels: one look into a map for each label, because a request counts ten times. */

export type Labels = Readonly<Record<string, string>>;

export class LabelledSeries<S> {
  readonly #names: readonly string[];
  readonly #make: (labels: Labels) => S;
  readonly #root = new Level<S>();
  readonly #all: S[] = [];

  constructor(names: readonly string[], make: (labels: Labels) => S) {
    this.#names = names;
    this.#make = make;
  }

  /** In the order of their first use. */
  get all(): readonly S[] {
    return this.#all;
  }

  of(labels: Labels): S {
    let level = this.#root;
    for (const name of this.#names) level = level.at(labels[name] ?? '');
    return (level.series ??= this.#add(labels));
  }

  #add(labels: Labels): S {
    const series = this.#make({ ...labels });
    this.#all.push(series);
    return series;
  }
}

/** The series whose first labels have the same values. */
class Level<S> {
  /** Of the labels' last level alone. */
  series: S | undefined = undefined;
  readonly #next = new Map<string, Level<S>>();

  at(value: string): Level<S> {
    let next = this.#next.get(value);
    if (next === undefined) this.#next.set(value, (next = new Level()));
    return next;
  }
}

/** What each model costs, as the operator set it. */
import type { ModelCost } from './credits-for.ts';

export interface ModelCosts {
  /** The rule of each model that has one of its own, and under `*` the one for all others. */
  read(): Promise<ReadonlyMap<string, ModelCost>>;
}

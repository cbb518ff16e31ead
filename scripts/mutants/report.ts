/** Says what became of mutants: those that live, a row for each source, and the share that died. Decides how they are counted. */
import { textTable } from '../text-table.ts';
import type { Equivalent } from './equivalents.ts';
import type { Mutant } from './find-mutants.ts';

/**
 * `timeout`: the tests hung on it, which anybody would notice. `unreached`: no test evaluates it. `refused`: the compiler takes it for an
 * error, so that nobody could have built it. `equivalent`: listed as one that changes nothing.
 */
export type Fate = 'killed' | 'timeout' | 'survived' | 'unreached' | 'refused' | 'equivalent';

export interface Result {
  readonly mutant: Mutant;
  readonly fate: Fate;
}

export interface Report {
  readonly text: string;
  /** Killed of those that count: all but the refused and the equivalent. 100 where there is none. */
  readonly percent: number;
}

/** `results` in the order in which they are to be shown. `stale`: entries of the list of equivalents that match no mutant. */
export function describeResults(results: readonly Result[], stale: readonly Equivalent[]): Report {
  const living = results.filter(({ fate }) => fate === 'survived' || fate === 'unreached');
  const survivors = living.map(
    ({ mutant: { path, line, before, after }, fate }) =>
      `${path}:${line}  ${shorten(before)} → ${shorten(after)}${fate === 'unreached' ? '  (unreached)' : ''}`,
  );
  const paths = [...new Set(results.map(({ mutant }) => mutant.path))];
  const rows = paths.map((path) =>
    countFates(
      path,
      results.filter(({ mutant }) => mutant.path === path),
    ),
  );
  const together = countFates('together', results);
  const heads = ['source', 'mutants', 'killed', 'by time', 'survived', 'unreached', 'equivalent', 'not built', '%'];
  const table = textTable(
    heads,
    [...rows, together].map((row) => Object.values(row)),
  );
  const orphans = stale.map(({ path, line, before, after }) => `${path}: ${line}\n    ${before} → ${after}`);
  const text = [
    ...(survivors.length > 0 ? [survivors.join('\n'), ''] : []),
    table,
    ...(orphans.length > 0 ? ['', 'Listed as equivalent, and not there:', ...orphans] : []),
  ].join('\n');
  return { text, percent: together.percent };
}

function countFates(source: string, results: readonly Result[]) {
  const of = (...fates: Fate[]) => results.filter(({ fate }) => fates.includes(fate)).length;
  const mutants = of('killed', 'timeout', 'survived', 'unreached');
  const killed = of('killed', 'timeout');
  return {
    source,
    mutants,
    killed,
    late: of('timeout'),
    survived: of('survived'),
    unreached: of('unreached'),
    equivalent: of('equivalent'),
    refused: of('refused'),
    percent: mutants === 0 ? 100 : Math.floor((1000 * killed) / mutants) / 10,
  };
}

const shorten = (text: string) => (text.length > 90 ? `${text.slice(0, 60)} … ${text.slice(-25)}` : text);

/** Mutants that change nothing anybody could see, each with its reason. Found again by their text, so that they outlive edits above them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mutant } from './find-mutants.ts';

export interface Equivalent {
  readonly path: string;
  /** The source line that the mutant begins in, without the blanks around it. */
  readonly line: string;
  readonly before: string;
  readonly after: string;
  readonly reason: string;
}

/** The list of this project. */
export function readEquivalents(root: string): Equivalent[] {
  return JSON.parse(readFileSync(join(root, 'scripts/mutants/equivalent-mutants.json'), 'utf8')) as Equivalent[];
}

const keyOf = ({ path, line, before, after }: Omit<Equivalent, 'reason'>) => [path, line, before, after].join('\n');

/** Parts `mutants` into those to be killed and those on the list. `stale`: what the list says of these sources and they no longer say. */
export function setApart(mutants: readonly Mutant[], equivalents: readonly Equivalent[]) {
  const paths = new Set(mutants.map(({ path }) => path));
  const listed = new Map(equivalents.map((each) => [keyOf(each), each]));
  const stale = new Map([...listed].filter(([, { path }]) => paths.has(path)));
  const faults: Mutant[] = [];
  const alike: Mutant[] = [];
  for (const mutant of mutants) {
    const key = keyOf({ ...mutant, line: mutant.lineText });
    stale.delete(key);
    (listed.has(key) ? alike : faults).push(mutant);
  }
  return { faults, alike, stale: [...stale.values()] };
}

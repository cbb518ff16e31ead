/** Which tests could notice a change of a source: those of its layer that import it, however far down, or all. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

export interface Selection {
  /** Test sources, below the project. */
  readonly tests: string[];
  /** How many more there are with `all`. */
  readonly left: number;
}

/**
 * Of `tests`, those that reach one of `paths`; all are sources below `root`. Without `all`, tests of other layers, and those that start
 * databases or whole processes, are left out: each would judge what a faster one could.
 */
export function selectTests(root: string, tests: readonly string[], paths: readonly string[], all: boolean): Selection {
  const importsOf = new Map<string, readonly string[]>();
  const needsServices = new Set<string>();
  const read = (path: string): readonly string[] => {
    const known = importsOf.get(path);
    if (known !== undefined) return known;
    const text = readFileSync(join(root, path), 'utf8');
    if (/\bVELLO_(?:TEST|CACHE)/.test(text)) needsServices.add(path);
    const imports = ts
      .preProcessFile(text, true, true)
      .importedFiles.map(({ fileName }) => fileName)
      .filter((name) => name.startsWith('.') && name.endsWith('.ts'))
      .map((name) => join(dirname(path), name))
      .filter((name) => existsSync(join(root, name)));
    importsOf.set(path, imports);
    return imports;
  };
  const reachedFrom = (test: string): Set<string> => {
    const reached = new Set([test]);
    // A set takes in what is added while it is walked.
    for (const path of reached) for (const next of read(path)) reached.add(next);
    return reached;
  };

  const layers = ['conformance', ...paths.map((path) => path.split('/')[0])];
  const selection = { tests: [] as string[], left: 0 };
  for (const test of tests) {
    const reached = reachedFrom(test);
    const isService = [...reached].some((path) => needsServices.has(path));
    // A whole process is started by its file's name, which no import shows.
    if (!isService && !paths.some((path) => reached.has(path))) continue;
    const isQuick = !isService && layers.includes(test.split('/')[1]);
    if (isQuick || all) selection.tests.push(test);
    else selection.left += 1;
  }
  return selection;
}

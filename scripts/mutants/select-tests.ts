/** Which tests could notice a change of a source: those of its layer that import it, however far down, or all. */
import { createTestImports } from '../testing/test-imports.ts';

interface Selection {
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
  const imports = createTestImports(root);
  const layers = ['conformance', ...paths.map((path) => path.split('/')[0])];
  const selection = { tests: [] as string[], left: 0 };
  for (const test of tests) {
    const reached = imports.reachedFrom(test);
    const isSlow = imports.needsServers(test);
    // A whole process is started by its file's name, which no import shows.
    if (!isSlow && !paths.some((path) => reached.has(path))) continue;
    const isQuick = !isSlow && layers.includes(test.split('/')[1]);
    if (isQuick || all) selection.tests.push(test);
    else selection.left += 1;
  }
  return selection;
}

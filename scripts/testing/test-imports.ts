/** What a test reaches by its imports, however far down, and so whether it needs servers. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface TestImports {
  /** Sources below the root, the test's own among them. */
  reachedFrom(test: string): ReadonlySet<string>;
  /** Whether it starts servers or whole processes: some source that it reaches reads where to find them. */
  needsServers(test: string): boolean;
}

/** Of tests and other sources below `root`, each of which is read once. */
export function createTestImports(root: string): TestImports {
  const importsOf = new Map<string, readonly string[]>();
  const readServers = new Set<string>();
  const read = (path: string): readonly string[] => {
    const known = importsOf.get(path);
    if (known !== undefined) return known;
    const text = readFileSync(join(root, path), 'utf8');
    if (/\bVELLO_(?:TEST|CACHE)/.test(text)) readServers.add(path);
    const imports = [...text.matchAll(/\b(?:from|import) ?\(?'(\.{1,2}\/[^'\n]+\.ts)'/g)]
      .map(([, name = '']) => join(dirname(path), name))
      .filter((name) => existsSync(join(root, name)));
    importsOf.set(path, imports);
    return imports;
  };
  const reachedFrom = (test: string): ReadonlySet<string> => {
    const reached = new Set([test]);
    // A set takes in what is added while it is walked.
    for (const path of reached) for (const next of read(path)) reached.add(next);
    return reached;
  };
  return { reachedFrom, needsServers: (test) => [...reachedFrom(test)].some((path) => readServers.has(path)) };
}

/** The commands that work on the sources: a clone has them, an installed package does not. */
import type { Entry } from './commands.ts';

export const CLONE_COMMANDS: Readonly<Record<string, Entry>> = {
  test: { summary: 'Check types, style and format, and run the tests.', load: () => import('./test.ts') },
  check: { summary: 'Check types, style and format only.', load: () => import('./check.ts') },
  bench: { summary: 'Measure this build beside its peers.', load: () => import('./bench.ts') },
  conformance: {
    summary: 'Play what a correct gateway must do on this one and its peers.',
    load: () => import('./conformance.ts'),
  },
  fuzz: { summary: 'Run the fuzzers of the tests for longer.', load: () => import('./fuzz.ts') },
  soak: { summary: 'Run a gateway under mixed traffic for longer.', load: () => import('./soak.ts') },
  mutants: {
    summary: 'Put small faults into the sources, and show those that no test notices.',
    load: () => import('./mutants.ts'),
  },
  build: { summary: 'Build, if anything changed.', load: () => import('./build.ts') },
  docs: { summary: 'Write the documents that follow from the catalogues.', load: () => import('./docs.ts') },
};

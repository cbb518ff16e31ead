/** The list of commands: one line and one file each. A command's file is loaded when it is typed, so that none pays for another. */
import type { Command } from './command.ts';

export interface Entry {
  /** One line for `vello --help`. */
  readonly summary: string;
  load(): Promise<{ readonly command: Command }>;
}

export const COMMANDS: Readonly<Record<string, Entry>> = {
  start: { summary: 'Start Vello: databases, all roles, and a demonstration.', load: () => import('./start.ts') },
  actors: { summary: 'Show the supervision tree of a running Vello.', load: () => import('./actors-view.ts') },
  test: { summary: 'Check types, style and format, and run the tests.', load: () => import('./test.ts') },
  check: { summary: 'Check types, style and format only.', load: () => import('./check.ts') },
  bench: { summary: 'Measure this build beside its peers.', load: () => import('./bench.ts') },
  build: { summary: 'Build, if anything changed.', load: () => import('./build.ts') },
  docs: { summary: 'Write the documents that follow from the catalogues.', load: () => import('./docs.ts') },
};

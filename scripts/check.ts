/** `vello check`: the checks of `vello test` without its tests. */
import { runChecks } from './checks.ts';
import type { Command } from './command.ts';
import { createProgress } from './progress.mjs';
import { projectRoot } from './project-root.ts';

export const command: Command = {
  usage: 'check',
  doc: 'Checks types (by building), style and format.',
  flags: {},
  operands: 0,
  async run() {
    const failures = await runChecks(projectRoot, createProgress(process.stderr), new AbortController().signal);
    for (const { name, said } of failures) console.error(`\n${name}\n${said}`);
    return failures.length === 0 ? 0 : 1;
  },
};

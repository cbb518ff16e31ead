/** `vello docs`: writes the documents that follow from the catalogues, so that they cannot drift from them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from './command.ts';
import { describeErrors, describeMetrics, describeSettings } from './docs/describe-catalogues.ts';
import { projectRoot } from './project-root.ts';

export const command: Command = {
  usage: 'docs',
  doc: 'Writes docs/errors.md, docs/metrics.md and docs/settings.md from the catalogues in config/.',
  flags: {},
  operands: 0,
  async run() {
    mkdirSync(join(projectRoot, 'docs'), { recursive: true });
    for (const [name, text] of Object.entries(renderDocuments())) {
      writeFileSync(join(projectRoot, name), text);
      console.log(`wrote ${name}`);
    }
    return 0;
  },
};

/** Path below the project to text. */
export function renderDocuments(): Record<string, string> {
  return {
    'docs/errors.md': describeErrors(),
    'docs/metrics.md': describeMetrics(),
    'docs/settings.md': describeSettings(),
  };
}

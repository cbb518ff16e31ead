/** `vello docs`: writes the documents that follow from the catalogues, so that they cannot drift from them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
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
    for (const [name, text] of Object.entries(await renderDocuments())) {
      writeFileSync(join(projectRoot, name), text);
      console.log(`wrote ${name}`);
    }
    return 0;
  },
};

/** Path below the project to text, formatted as the rest of the project is. */
export async function renderDocuments(): Promise<Record<string, string>> {
  const documents = {
    'docs/errors.md': describeErrors(),
    'docs/metrics.md': describeMetrics(),
    'docs/settings.md': describeSettings(),
  };
  const style = await resolveConfig(join(projectRoot, 'package.json'));
  const formatted = await Promise.all(
    Object.entries(documents).map(
      async ([name, text]) => [name, await format(text, { ...style, filepath: name })] as const,
    ),
  );
  return Object.fromEntries(formatted);
}

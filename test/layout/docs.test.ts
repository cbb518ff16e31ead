/** Holds the documents to the catalogues they describe, and every command to explaining itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CLONE_COMMANDS } from '../../scripts/clone-commands.ts';
import { COMMANDS } from '../../scripts/commands.ts';
import { renderDocuments } from '../../scripts/docs.ts';
import { projectFolder } from '../fixtures/source-files.ts';

t.test('the documents say what the catalogues say (if not: node scripts/vello.mjs docs)', async (t) => {
  for (const [path, expected] of Object.entries(renderDocuments())) {
    t.equal(readFileSync(join(projectFolder, path), 'utf8'), expected, path);
  }
});

t.test('every command explains itself', async (t) => {
  for (const [name, entry] of Object.entries({ ...COMMANDS, ...CLONE_COMMANDS })) {
    const { command } = await entry.load();
    t.ok(command.usage.startsWith(name), `${name} has a usage line of its own`);
    t.ok(command.doc.length > 20, `${name} has a text`);
  }
});

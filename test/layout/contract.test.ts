/** docs/contract.md decides: whatever refers to a section of it refers to one that is there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectFolder, readSources } from '../fixtures/source-files.ts';

const contract = readFileSync(join(projectFolder, 'docs', 'contract.md'), 'utf8');
const sections = new Set([...contract.matchAll(/^## (\d+)\. /gm)].map((match) => match[1]));

t.test('every reference to the contract names a section of it', async (t) => {
  t.ok(sections.size >= 10);
  let references = 0;
  for (const { path, text } of readSources(['config', 'actors', 'transports', 'supervisors', 'scripts', 'test'])) {
    for (const [, section] of text.matchAll(/[Cc]ontract §(\d+)/g)) {
      references += 1;
      t.ok(sections.has(section), `${path}: §${section ?? ''}`);
    }
  }
  t.ok(references > 30, `${references} references`);
});

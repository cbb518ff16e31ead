import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectFolder } from '../fixtures/source-files.ts';

t.test('every file and folder that docs/architecture.md names is there', async (t) => {
  const text = readFileSync(join(projectFolder, 'docs/architecture.md'), 'utf8');
  const named = [...text.matchAll(/`((?:config|actors|transports|supervisors|scripts|test|docs)\/[\w./-]*)`/g)];
  t.ok(named.length > 30, `it names ${named.length}`);
  for (const [, path = ''] of named) t.ok(existsSync(join(projectFolder, path)), path);
});

/** Holds what comes from others: each pinned exactly, and none that runs code of its own while it is installed unless that is forbidden it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectFolder } from '../fixtures/source-files.ts';

type Versions = Readonly<Record<string, string>>;
const read = (file: string): unknown => JSON.parse(readFileSync(join(projectFolder, file), 'utf8'));
const project = read('package.json') as Readonly<
  Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Versions> & {
    allowScripts: Readonly<Record<string, boolean>>;
  }
>;
const lock = read('package-lock.json') as {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>;
};

t.test('dependencies are pinned exactly', async (t) => {
  const all = { ...project.dependencies, ...project.devDependencies, ...project.optionalDependencies };
  t.ok(Object.keys(all).length > 20);
  for (const [name, version] of Object.entries(all)) t.match(version, /^(npm:@?[\w./-]+@)?\d+\.\d+\.\d+[\w.-]*$/, name);
});

t.test('what would run code while it is installed is known, and forbidden to', async (t) => {
  const running = Object.entries(lock.packages).filter(([, { hasInstallScript = false }]) => hasInstallScript);
  t.ok(running.length > 3);
  for (const [path] of running) t.equal(project.allowScripts[path.replace(/^.*node_modules\//, '')], false, path);
});

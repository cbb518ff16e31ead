/** Holds what stands in which folder: not too much in one, and each test where its source is. */
import { basename, dirname, join } from 'node:path';
import t from 'tap';
import { readSources } from '../fixtures/source-files.ts';

const LAYERS = ['config', 'actors', 'transports', 'supervisors', 'scripts'];
/** What the kernel takes; where more come together, some of them are a room. */
const MOST_IN_A_FOLDER = 22;
/** Those whose files belong to many walks through the code. */
const SMALL_FOLDERS = ['relay', 'sessions', 'events', 'metering'].map((name) => `actors/${name}`);
const MOST_IN_A_SMALL_FOLDER = 11;

const sources = readSources(LAYERS).map(({ path }) => path);
const tests = readSources(['test'])
  .map(({ path }) => path.replace(/^test\//, ''))
  .filter((path) => path.endsWith('.test.ts') && LAYERS.includes(path.split('/')[0] ?? ''));

t.test(`no folder of actors/ or transports/ holds more than ${MOST_IN_A_FOLDER} sources`, async (t) => {
  const counts = new Map<string, number>();
  for (const path of sources) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  const full = [...counts].filter(([folder, count]) => {
    if (SMALL_FOLDERS.includes(folder)) return count > MOST_IN_A_SMALL_FOLDER;
    return /^(actors|transports)\//.test(folder) && count > MOST_IN_A_FOLDER;
  });
  t.strictSame(full, []);
});

t.test(
  'tests stand in folders that sources have, and one that is named after a source of its layer at its path',
  async (t) => {
    const folders = new Set(sources.map(dirname));
    t.strictSame(
      tests.filter((path) => !folders.has(dirname(path))),
      [],
    );
    const nameInLayer = (path: string) => join(path.split('/')[0] ?? '', basename(path));
    const names = new Set(sources.map(nameInLayer));
    const sourceOf = (path: string) => path.replace(/\.test\.ts$/, '.ts');
    t.strictSame(
      tests.filter((path) => names.has(nameInLayer(sourceOf(path))) && !sources.includes(sourceOf(path))),
      [],
    );
  },
);

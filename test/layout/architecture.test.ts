/** Pages name files and folders that are there; a recipe is short. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { listFiles, projectFolder } from '../fixtures/source-files.ts';

const read = (page: string) => readFileSync(join(projectFolder, page), 'utf8');
const longestRecipe = 6;
/** How many names are found in which pages, at least; a page belongs to the first that fits. */
const leastNamed = { 'docs/architecture.md': 60, 'docs/changing.md': 30, 'docs/decisions/': 12, 'docs/': 15, '': 8 };

t.test('every file and folder that a page names is there', async (t) => {
  const pages = [...listFiles(['docs']), 'README.md', 'CONTRIBUTING.md', 'SECURITY.md'].filter((page) =>
    page.endsWith('.md'),
  );
  t.ok(pages.length > 20);
  const found = new Map<string, number>();
  for (const page of pages) {
    const named = [
      ...read(page).matchAll(/`((?:config|actors|transports|supervisors|scripts|test|docs)\/[\w@./-]*)`/g),
    ];
    for (const [, path = ''] of named) t.ok(existsSync(join(projectFolder, path)), `${page}: ${path}`);
    const set = Object.keys(leastNamed).find((start) => page.startsWith(start)) ?? '';
    found.set(set, (found.get(set) ?? 0) + named.length);
  }
  for (const [set, least] of Object.entries(leastNamed)) {
    t.ok((found.get(set) ?? 0) >= least, `${set}: ${found.get(set)} names`);
  }
});

t.test(
  `no recipe of docs/changing.md is longer than ${longestRecipe} lines, and each says what shows it`,
  async (t) => {
    const [, ...recipes] = read('docs/changing.md').split(/^## /m);
    t.ok(recipes.length >= 7);
    for (const recipe of recipes) {
      const [title = '', ...lines] = recipe
        .trim()
        .split('\n')
        .filter((line) => line !== '');
      t.ok(lines.length <= longestRecipe, title);
      t.match(lines.at(-1), /^\d\. Shown by `test\//, title);
    }
  },
);

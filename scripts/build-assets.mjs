/** Copies what tsc leaves behind (SQL, Lua, recordings, pages) into build/, beside the code that reads it. */
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const carried = new Set(['.sql', '.lua', '.flac', '.wav', '.mp3', '.json', '.html', '.css', '.mjs', '.txt', '.py']);

for (const folder of ['actors', 'transports', 'supervisors', 'scripts', 'test']) {
  const from = join(root, folder);
  if (!existsSync(from)) continue;
  const to = join(root, 'build', folder);
  removeStale(from, to);
  cpSync(from, to, {
    recursive: true,
    filter: (path) => extname(path) === '' || carried.has(extname(path)),
  });
}

/** A migration that was renamed would otherwise be there under both names, and applied under the wrong one. */
function removeStale(from, to) {
  if (!existsSync(to)) return;
  for (const path of readdirSync(to, { recursive: true, encoding: 'utf8' })) {
    if (carried.has(extname(path)) && !existsSync(join(from, path))) rmSync(join(to, path));
  }
}

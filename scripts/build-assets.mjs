/** Copies what tsc leaves behind (SQL, Lua, recordings, pages) into build/, beside the code that reads it. */
import { cpSync, existsSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const carried = new Set(['.sql', '.lua', '.flac', '.wav', '.json', '.html', '.css', '.mjs', '.txt', '.py']);

for (const folder of ['actors', 'transports', 'supervisors', 'scripts', 'test']) {
  const from = join(root, folder);
  if (!existsSync(from)) continue;
  cpSync(from, join(root, 'build', folder), {
    recursive: true,
    filter: (path) => extname(path) === '' || carried.has(extname(path)),
  });
}

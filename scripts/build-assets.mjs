/**
 * Puts beside the built code what tsc leaves behind: SQL, Lua, recordings and pages, and, in `build/vendor/`, the few files that we use of
 * packages that carry far more. `--every-platform` adds to those alone, for a package: native code of all platforms.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const CARRIED = new Set(['.sql', '.lua', '.flac', '.wav', '.mp3', '.json', '.html', '.css', '.mjs', '.txt', '.py']);

const isForEveryPlatform = process.argv.includes('--every-platform');

for (const folder of isForEveryPlatform ? [] : ['actors', 'transports', 'supervisors', 'scripts', 'test']) {
  const from = join(root, folder);
  if (!existsSync(from)) continue;
  const to = join(root, 'build', folder);
  removeStale(from, to);
  cpSync(from, to, {
    recursive: true,
    filter: (path) => extname(path) === '' || CARRIED.has(extname(path)),
  });
}
for (const [from, to] of vendored()) copyWhereNew(from, to);

/** A migration that was renamed would otherwise be there under both names, and applied under the wrong one. */
function removeStale(from, to) {
  if (!existsSync(to)) return;
  for (const path of readdirSync(to, { recursive: true, encoding: 'utf8' })) {
    if (CARRIED.has(extname(path)) && !existsSync(join(from, path))) rmSync(join(to, path));
  }
}

/** From below `node_modules/` to below `build/vendor/`. */
function vendored() {
  // The lines of Node.js that are maintained for years, by the version of their native interface: 20, 22, 24.
  const platforms = ['linux', 'darwin'].flatMap((os) => ['x64', 'arm64'].map((cpu) => `${os}_${cpu}`));
  const everywhere = platforms.flatMap((platform) => [115, 127, 137].map((abi) => `${platform}_${abi}`));
  const here = `${process.platform}_${process.arch}_${process.versions.modules}`;
  // Where there is none for this Node.js, the door of every command says so.
  const isThere = existsSync(join(root, 'node_modules', 'uWebSockets.js', `uws_${here}.node`));
  const servers = isForEveryPlatform ? everywhere : isThere ? [here] : [];
  return [
    // Renamed, since in this package `.js` means an ECMAScript module.
    ['uWebSockets.js/uws.js', 'uws/uws.cjs'],
    ['uWebSockets.js/LICENSE', 'uws/LICENSE'],
    ...servers.map((name) => [`uWebSockets.js/uws_${name}.node`, `uws/uws_${name}.node`]),
    ...['ort.node.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'].map((name) => [
      `onnxruntime-web/dist/${name}`,
      `onnxruntime/${name}`,
    ]),
    ['@ricky0123/vad-web/dist/silero_vad_v6.onnx', 'silero/silero_vad_v6.onnx'],
  ];
}

/** Moved into place whole: a Vello that runs may have the old one mapped, and another may be about to load it. */
function copyWhereNew(from, to) {
  const source = join(root, 'node_modules', from);
  const target = join(root, 'build', 'vendor', to);
  if (existsSync(target) && readFileSync(target).equals(readFileSync(source))) return;
  mkdirSync(dirname(target), { recursive: true });
  mkdirSync(join(root, 'build', '.drafts'), { recursive: true });
  // Two may build at once; and who copies build/ meanwhile must not meet what is gone a moment later, so leaves out that folder.
  const draft = join(root, 'build', '.drafts', `${process.pid}-${basename(to)}`);
  try {
    cpSync(source, draft);
    renameSync(draft, target);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Programs that peers need and Vello does not: which they are, where they are once fetched, and how they are fetched. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { findExecutable } from '../../transports/process/launch-as.ts';
import { serverSearchPath } from '../../transports/process/redis-binary.ts';
import { unpackDebian } from '../foundation/unpack-debian.ts';

/** Of Debian. nginx comes along with its Lua module, which loads into the very build that it was made for. */
const DEBIAN = {
  nginx: {
    packages: ['nginx', 'libnginx-mod-http-lua', 'libnginx-mod-http-ndk', 'lua-resty-core', 'lua-resty-lrucache'],
    program: 'usr/sbin/nginx',
  },
  haproxy: { packages: ['haproxy'], program: 'usr/sbin/haproxy' },
} as const;

/** Portkey's streams fail with newer versions of what it stands on, and this undici is the newest for Node.js 20. */
const NPM = {
  dependencies: {
    '@fastify/reply-from': '12.6.5',
    '@hono/node-server': '1.13.5',
    '@hono/node-ws': '1.2.0',
    '@portkey-ai/gateway': '1.15.2',
    'fast-proxy': '2.2.0',
    fastify: '5.12.8',
    hono: '4.9.7',
    'http-proxy': '1.18.1',
    httpxy: '0.5.6',
  },
  overrides: {
    '@fastify/reply-from': { undici: '7.30.2' },
    '@hono/node-server': '1.13.5',
    '@hono/node-ws': '1.2.0',
    hono: '4.9.7',
  },
} as const;

type DebianName = keyof typeof DEBIAN;
type NpmName = keyof typeof NPM.dependencies;

export interface FetchedProgram {
  /** Of the executable, or of the folder in which `node_modules` lies. */
  readonly path: string;
  readonly version: string;
}

const folderOf = (cache: string, name: string) => join(cache, 'peers', name);

/** One of the PATH, else the one that was fetched. */
export function findServer(cache: string, name: DebianName): FetchedProgram | undefined {
  const path =
    findExecutable(name, serverSearchPath(process.env['PATH']).split(delimiter)) ?? fetchedServer(cache, name);
  return path === undefined ? undefined : { path, version: versionOf(path) };
}

/** nginx with the folder of its modules and that of its Lua libraries. */
export function findNginxWithLua(
  cache: string,
): (FetchedProgram & { readonly modules: string; readonly lua: string }) | undefined {
  const path = fetchedServer(cache, 'nginx');
  if (path === undefined) return undefined;
  const root = join(folderOf(cache, 'nginx'), 'root', 'usr');
  return { path, version: versionOf(path), modules: join(root, 'lib/nginx/modules'), lua: join(root, 'share/lua/5.1') };
}

export function findPackage(cache: string, name: NpmName): FetchedProgram | undefined {
  const path = folderOf(cache, 'npm');
  const description = join(path, 'node_modules', name, 'package.json');
  if (!existsSync(description)) return undefined;
  return { path, version: (JSON.parse(readFileSync(description, 'utf8')) as { version: string }).version };
}

/** Fetches all that is not there. What cannot be had is reported and left out: a peer less is a column less. */
export async function fetchPrograms(cache: string, signal: AbortSignal, report: (line: string) => void): Promise<void> {
  for (const name of Object.keys(DEBIAN) as DebianName[]) {
    if (fetchedServer(cache, name) !== undefined) continue;
    report(`fetching ${name}`);
    try {
      await unpackDebian({ ...DEBIAN[name], folder: folderOf(cache, name), signal, report: () => undefined });
    } catch (error) {
      signal.throwIfAborted();
      report(`${name} could not be fetched: ${(error as Error).message}`);
    }
  }
  const folder = folderOf(cache, 'npm');
  const description = `${JSON.stringify({ private: true, ...NPM }, undefined, 2)}\n`;
  const file = join(folder, 'package.json');
  const names = Object.keys(NPM.dependencies) as NpmName[];
  const isThere = existsSync(file) && readFileSync(file, 'utf8') === description;
  if (isThere && names.every((name) => findPackage(cache, name) !== undefined)) return;
  report(`fetching ${names.length} packages`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, description);
  const flags = [
    `--prefix=${folder}`,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-progress',
    '--loglevel=error',
  ];
  try {
    await promisify(execFile)('npm', ['install', ...flags], { cwd: folder, signal });
  } catch (error) {
    signal.throwIfAborted();
    report(`the packages could not be fetched: ${(error as Error).message}`);
  }
}

const fetchedServer = (cache: string, name: DebianName) => findExecutable(name, [folderOf(cache, name)]);

/** nginx says it on its standard error. */
function versionOf(path: string): string {
  const { stdout, stderr } = spawnSync(path, ['-v'], { encoding: 'utf8' });
  return /\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? 'of unknown version';
}

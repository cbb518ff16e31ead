/**
 * Finds a Redis server program for this machine, or fetches one: Debian's package manager downloads packages into folders of its
 * caller's choice without being root, and the archives are unpacked beside each other. Nothing is installed into the system.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { findRedisBinary, redisCacheFolder } from '../../transports/process/redis-binary.ts';
import { CommandError } from '../command.ts';

export interface RedisSearch {
  /** Folder for what is downloaded. */
  readonly cache: string;
  /** The PATH to look in. */
  readonly searchPath: string;
  readonly signal: AbortSignal;
  readonly report: (detail: string) => void;
}

export interface RedisBinary {
  readonly path: string;
  /** `7.0.15` */
  readonly version: string;
}

const oldestMajor = 7;

/** Resolves to a program that runs. @throws CommandError that says how to get one. */
export async function obtainRedis(search: RedisSearch): Promise<RedisBinary> {
  const cache = resolve(search.cache);
  let path = findRedisBinary(search.searchPath, cache);
  if (path === undefined) {
    try {
      path = await download(cache, search);
    } catch (error) {
      if (search.signal.aborted) throw error;
      const said = (error as { stderr?: string }).stderr?.trim().split('\n').slice(-3).join('\n');
      throw new CommandError(`Redis could not be obtained: ${said ?? (error as Error).message}\n${advice}`);
    }
  }
  const version = await readVersion(path);
  if (Number.parseInt(version, 10) < oldestMajor) {
    throw new CommandError(`${path} is version ${version}; Vello needs ${oldestMajor} or newer.\n${advice}`);
  }
  return { path, version };
}

const advice =
  'Install it (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis; any redis-server or valkey-server on the PATH ' +
  'will do), or set VELLO_REDIS_URL to a Redis that runs elsewhere. Then run the same command again.';

async function download(cache: string, { signal, report }: RedisSearch): Promise<string> {
  const folder = redisCacheFolder(cache);
  const work = `${folder}.part`;
  rmSync(work, { recursive: true, force: true });
  for (const part of ['lists/partial', 'archives/partial', 'packages', 'root']) {
    mkdirSync(join(work, part), { recursive: true });
  }
  const privately = [
    ...['-o', `Dir::State::Lists=${join(work, 'lists')}`, '-o', `Dir::Cache=${work}`],
    // Root's apt would hand the download to its own user, who may not be able to enter this folder.
    ...['-o', 'APT::Sandbox::User=', '-o', 'Acquire::Languages=none', '-o', 'Acquire::Retries=2'],
  ];
  const run = async (command: string, args: readonly string[]) =>
    promisify(execFile)(command, args, {
      cwd: join(work, 'packages'),
      env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...proxies() },
      maxBuffer: 16 * 2 ** 20,
      signal,
    });

  report('asking the package manager');
  // One broken third-party source makes this fail although Debian's own lists arrived; the next step decides.
  const update = await run('apt-get', [...privately, '-q', 'update']).catch((error: unknown) => error);
  const plan = await run('apt-get', [
    ...privately,
    '-q',
    '-s',
    '--no-install-recommends',
    'install',
    'redis-server',
  ]).catch((error: unknown) => {
    throw update instanceof Error ? update : error;
  });
  // Libraries that the system already has are not in the plan.
  const planned = [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
  const packages = new Set(['redis-server', 'redis-tools', ...planned.filter((name) => /^(lib|lua)/.test(name))]);
  report(`downloading ${packages.size} packages`);
  await run('apt-get', [...privately, '-q', 'download', ...packages]);
  report('unpacking');
  for (const archive of readdirSync(join(work, 'packages'))) {
    await run('dpkg-deb', ['-x', join(work, 'packages', archive), join(work, 'root')]);
  }
  const libraries = await run('find', [join(work, 'root'), '-name', '*.so*', '-printf', '%h\n']);
  const libraryPath = [...new Set(libraries.stdout.trim().split('\n'))]
    .map((path) => path.replace(work, folder))
    .join(':');
  // A script, so that whoever starts the server needs to know nothing of where its libraries are.
  writeFileSync(
    join(work, 'redis-server'),
    `#!/bin/sh\nLD_LIBRARY_PATH=${quote(libraryPath)} exec ${quote(join(folder, 'root/usr/bin/redis-server'))} "$@"\n`,
    { mode: 0o755 },
  );
  for (const part of ['lists', 'archives', 'packages', 'pkgcache.bin', 'srcpkgcache.bin']) {
    rmSync(join(work, part), { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(work, folder);
  return join(folder, 'redis-server');
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

async function readVersion(path: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 10_000 });
    const version = /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    if (version !== undefined) return version;
  } catch (error) {
    throw new CommandError(`${path} does not run: ${(error as Error).message.trim()}\n${advice}`);
  }
  throw new CommandError(`${path} does not say which version it is.\n${advice}`);
}

function proxies(): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'no_proxy', 'APT_CONFIG'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

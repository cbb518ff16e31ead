/**
 * Programs of Debian's packages for whoever may not, or would rather not, install them: the package manager downloads into folders of its
 * caller's choice without being root, and the archives are unpacked beside each other. Nothing is installed into the system.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { count } from '../count.ts';

export interface DebianProgram {
  /** Those that are downloaded whatever the system has; libraries that they need and it lacks come along. */
  readonly packages: readonly string[];
  /** Below the root of the packages: `usr/bin/redis-server`. */
  readonly program: string;
  /** Where it goes; replaced. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly report: (detail: string) => void;
}

/** Resolves to the path of a script, named like the program, that starts it. @throws Error with what the package manager said last */
export async function unpackDebian(wanted: DebianProgram): Promise<string> {
  const { folder, signal, report } = wanted;
  const work = `${folder}.part`;
  rmSync(work, { recursive: true, force: true });
  for (const part of ['lists/partial', 'archives/partial', 'packages', 'root']) {
    mkdirSync(join(work, part), { recursive: true });
  }
  const run = runner(join(work, 'packages'), signal);
  const apt = (...args: readonly string[]) => run('apt-get', [...privately(work), '-q', ...args]);

  report('asking the package manager');
  // One broken third-party source makes this fail although Debian's own lists arrived; the next step decides.
  const update = await apt('update').catch((error: unknown) => error);
  const plan = await apt('-s', '--no-install-recommends', 'install', ...wanted.packages).catch((error: unknown) => {
    throw update instanceof Error ? update : error;
  });
  // Libraries that the system already has are not in the plan.
  const planned = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
  const packages = new Set([...wanted.packages, ...planned.filter((name) => /^(lib|lua)/.test(name))]);
  report(`downloading ${count(packages.size, 'package')}`);
  await apt('download', ...packages);
  report('unpacking');
  for (const archive of readdirSync(join(work, 'packages'))) {
    await run('dpkg-deb', ['-x', join(work, 'packages', archive), join(work, 'root')]);
  }
  const libraries = await run('find', [join(work, 'root'), '-name', '*.so*', '-printf', '%h\n']);
  const libraryPath = [...new Set(libraries.trim().split('\n'))].map((path) => path.replace(work, folder)).join(':');
  const name = basename(wanted.program);
  // A script, so that whoever starts the program needs to know nothing of where its libraries are.
  writeFileSync(
    join(work, name),
    `#!/bin/sh\nLD_LIBRARY_PATH=${quote(libraryPath)} exec ${quote(join(folder, 'root', wanted.program))} "$@"\n`,
    { mode: 0o755 },
  );
  for (const part of ['lists', 'archives', 'packages', 'pkgcache.bin', 'srcpkgcache.bin']) {
    rmSync(join(work, part), { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(work, folder);
  return join(folder, name);
}

const privately = (work: string): readonly string[] => [
  ...['-o', `Dir::State::Lists=${join(work, 'lists')}`, '-o', `Dir::Cache=${work}`],
  // Root's apt would hand the download to its own user, who may not be able to enter this folder.
  ...['-o', 'APT::Sandbox::User=', '-o', 'Acquire::Languages=none'],
  // Without a network this ends within seconds, and says so: apt's own patience is minutes, and then it calls lists that never came a success.
  ...['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=6', '-o', 'Acquire::https::Timeout=6'],
  ...['-o', 'Acquire::EnableSrvRecords=false', '-o', 'APT::Update::Error-Mode=any'],
];

function runner(cwd: string, signal: AbortSignal) {
  // A name that no server resolves is given up after three seconds.
  const patience = { RES_OPTIONS: 'timeout:3 attempts:1' };
  const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...patience };
  return async (command: string, args: readonly string[]): Promise<string> => {
    try {
      const options = { cwd, env: { ...env, ...proxies() }, maxBuffer: 16 * 2 ** 20, signal };
      return (await promisify(execFile)(command, args, options)).stdout;
    } catch (error) {
      const said = (error as { stderr?: string }).stderr?.trim().split('\n').slice(-3).join('\n');
      throw new Error(said || (error as Error).message, { cause: error });
    }
  };
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

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

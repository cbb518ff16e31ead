/** Downloads one npm package's archive, without installing it or its dependencies, and reports the bytes as they come. */
import { readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runProgram } from './run-program.ts';

export interface PackOptions {
  readonly onBytes: (receivedBytes: number) => void;
  readonly signal?: AbortSignal;
}

const PROGRESS_EVERY_MS = 250;

/**
 * The path of the archive in `folder`. Registry, proxy and certificates are those that npm itself is configured with.
 * The npm cache lies inside `folder` meanwhile: its growth is the progress, and an unwritable home directory does no harm.
 */
export async function packFromRegistry(spec: string, folder: string, options: PackOptions): Promise<string> {
  const npmCache = join(folder, 'npm-cache');
  const args = ['pack', spec, '--pack-destination', folder, '--cache', npmCache];
  const quiet = ['--ignore-scripts', '--no-update-notifier', '--no-audit', '--no-fund', '--loglevel', 'error'];
  // npm's own patience without a network is over a minute; a person waits at the other end.
  const patience = ['--fetch-retries', '2', '--fetch-retry-mintimeout', '1000', '--fetch-retry-maxtimeout', '5000'];
  const progress = setInterval(() => {
    void bytesUnder(npmCache).then(options.onBytes);
  }, PROGRESS_EVERY_MS);
  try {
    await runNpm([...args, ...quiet, ...patience], folder, options.signal);
  } finally {
    clearInterval(progress);
    await rm(npmCache, { recursive: true, force: true });
  }
  const archive = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (archive === undefined) throw new Error('npm delivered no archive');
  return join(folder, archive);
}

async function runNpm(args: readonly string[], cwd: string, signal?: AbortSignal): Promise<void> {
  const options = { cwd, ...(signal === undefined ? {} : { signal }) };
  // npm lies beside the node that runs us; the search path may hold another one, or none under a service manager.
  const beside = join(dirname(process.execPath), 'npm');
  const isBeside = await stat(beside).then(
    () => true,
    () => false,
  );
  await runProgram(isBeside ? beside : 'npm', args, options);
}

async function bytesUnder(folder: string): Promise<number> {
  let total = 0;
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) total += (await stat(join(entry.parentPath, entry.name))).size;
    }
  } catch {
    // Files come and go while npm works; the next look counts again.
  }
  return total;
}

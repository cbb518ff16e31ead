/**
 * Finds out within seconds whether npm's registry answers, be it behind a proxy: npm's own patience without a network is minutes. Where npm
 * looks is npm's own affair; it is asked. Plain JavaScript, since it is already needed before the first build.
 */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';

const ANSWER_WITHIN_MS = 6000;

/** The command line of npm: the one that started us, else the one on the PATH. */
export const npmCommand = () =>
  process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];

/**
 * @param {string} cwd whose `.npmrc` holds
 * @returns {Promise<{ registry: string, cache: string, proxy: string | undefined }>} as npm is configured
 */
export async function readNpmConfig(cwd) {
  const [command, ...args] = npmCommand();
  const keys = ['registry', 'cache', 'proxy', 'https-proxy', 'noproxy'];
  const { stdout } = await promisify(execFile)(command, [...args, 'config', 'get', ...keys, '--loglevel=error'], {
    cwd,
  });
  const said = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).trim()])
      .filter(([, value]) => value !== 'null' && value !== ''),
  );
  const registry = said.registry ?? '';
  const { env } = process;
  const proxies = [said['https-proxy'], said.proxy, env.https_proxy, env.HTTPS_PROXY, env.http_proxy, env.HTTP_PROXY];
  const direct = (said.noproxy ?? env.no_proxy ?? env.NO_PROXY ?? '').split(',').map((name) => name.trim());
  const { hostname } = new URL(registry);
  const goesDirect = direct.some((name) => name !== '' && hostname.endsWith(name.replace(/^\*?\./, '')));
  return { registry, cache: said.cache ?? '', proxy: goesDirect ? undefined : proxies.find((url) => url) };
}

/**
 * @param {{ registry: string, proxy: string | undefined }} config
 * @param {AbortSignal} signal
 * @returns {Promise<string | undefined>} why the registry cannot be reached, naming it; undefined where something answers
 */
export function whyUnreachable({ registry, proxy }, signal) {
  return new Promise((resolve) => {
    // A process of its own: a name that is being looked up can be given up in no other way.
    const child = spawn(
      process.execPath,
      ['-e', PROBE, proxy ?? registry, proxy === undefined ? 'answer' : 'connect'],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    let said = '';
    let isLate = false;
    child.stdout.on('data', (bytes) => (said += bytes));
    const giveUp = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, ANSWER_WITHIN_MS);
    const end = () => child.kill('SIGKILL');
    signal.addEventListener('abort', end);
    child.once('error', () => resolve(undefined));
    child.once('close', (code) => {
      clearTimeout(giveUp);
      signal.removeEventListener('abort', end);
      const where = proxy === undefined ? registry : `${registry} through the proxy ${new URL(proxy).host}`;
      if (isLate) resolve(`${where} does not answer`);
      else if (code === 1) resolve(`${where} cannot be reached (${said.trim()})`);
      else resolve(undefined);
    });
  });
}

/** Any answer will do, so certificates are npm's affair; of a proxy no more is asked than to be there. */
const PROBE = `
const [, address, wanted] = process.argv;
const url = new URL(address);
const fail = (error) => { console.log(error.code ?? error.message); process.exit(1); };
const request = require(url.protocol === 'https:' ? 'node:https' : 'node:http')
  .request(url, { method: 'HEAD', rejectUnauthorized: false, autoSelectFamilyAttemptTimeout: 2500 })
  .on('response', () => process.exit(0))
  .on('error', fail);
if (wanted === 'connect') request.on('socket', (socket) => socket.once('connect', () => process.exit(0)));
request.end();
`;

/** Without a network the set-up says so within seconds, and needs none where npm's cache holds everything. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { installPackages } from '../../scripts/install-packages.mjs';
import { freePort } from '../fixtures/free-port.ts';
import { temporaryFolder, type Teardown } from '../fixtures/temporary-folder.ts';

const never = new AbortController().signal;

/** A project with one package, and the registry that has it. */
async function project(t: Teardown) {
  const folder = temporaryFolder(t);
  const root = join(folder, 'root');
  const source = join(folder, 'package');
  for (const path of [root, source]) mkdirSync(path);
  writeFileSync(join(source, 'package.json'), JSON.stringify({ name: 'tiny', version: '1.0.0' }));
  execFileSync('tar', ['-czf', join(folder, 'tiny.tgz'), '-C', folder, 'package']);
  const archive = readFileSync(join(folder, 'tiny.tgz'));
  const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  const about = { name: 'root', version: '1.0.0', dependencies: { tiny: '1.0.0' } };
  writeFileSync(join(root, 'package.json'), JSON.stringify(about));
  const packages = { '': about, 'node_modules/tiny': { version: '1.0.0', integrity } };
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ ...about, lockfileVersion: 3, packages }));

  const registry: Server = createHttpServer((request, response) => {
    if (request.url?.endsWith('.tgz') === true) return response.end(archive);
    const dist = { integrity, tarball: `http://${request.headers.host ?? ''}/tiny/-/tiny-1.0.0.tgz` };
    response.setHeader('Content-Type', 'application/json');
    return response.end(
      JSON.stringify({ name: 'tiny', versions: { '1.0.0': { name: 'tiny', version: '1.0.0', dist } } }),
    );
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void registry.close());
  return { folder, root, registry, port: (registry.address() as AddressInfo).port };
}

/** npm's settings for one call. */
function configure(t: Teardown, settings: Readonly<Record<string, string>>): void {
  const before = { ...process.env };
  t.teardown(() => {
    process.env = before;
  });
  for (const [name, value] of Object.entries(settings)) process.env[`npm_config_${name}`] = value;
}

async function refusalOf(root: string): Promise<{ readonly text: string; readonly elapsedMs: number }> {
  const startedAt = performance.now();
  const refusal: unknown = await installPackages(root, () => undefined, never).catch((error: unknown) => error);
  return { text: String(refusal), elapsedMs: performance.now() - startedAt };
}

t.test('a registry that cannot be reached is named within 15 seconds', async (t) => {
  const { folder, root } = await project(t);
  const port = await freePort();
  configure(t, { registry: `http://127.0.0.1:${port}/`, cache: join(folder, 'cache') });
  const { text, elapsedMs } = await refusalOf(root);
  t.match(text, `http://127.0.0.1:${port}/ cannot be reached (ECONNREFUSED), and npm's cache does not hold`);
  t.match(text, /npm config set registry/);
  t.ok(elapsedMs < 15_000, `${Math.round(elapsedMs)} ms`);
});

t.test('so is one that swallows what it is sent', async (t) => {
  const { folder, root } = await project(t);
  const hole = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await new Promise((resolve) => hole.once('listening', resolve));
  t.teardown(() => void hole.close());
  const { port } = hole.address() as AddressInfo;
  configure(t, { registry: `http://127.0.0.1:${port}/`, cache: join(folder, 'cache') });
  const { text, elapsedMs } = await refusalOf(root);
  t.match(text, `http://127.0.0.1:${port}/ does not answer`);
  t.ok(elapsedMs < 15_000, `${Math.round(elapsedMs)} ms`);
});

t.test('what the cache of npm holds is installed without a network', async (t) => {
  const { folder, root, registry, port } = await project(t);
  configure(t, { registry: `http://127.0.0.1:${port}/`, cache: join(folder, 'cache') });
  await installPackages(root, () => undefined, never);
  registry.closeAllConnections();
  await new Promise((resolve) => registry.close(resolve));
  await installPackages(root, () => undefined, never);
  t.ok(existsSync(join(root, 'node_modules', 'tiny', 'package.json')));
});

t.test('a cache that cannot be written is done without', async (t) => {
  const { folder, root, port } = await project(t);
  // Not even root can make a folder in a file.
  const file = join(folder, 'file');
  writeFileSync(file, '');
  chmodSync(file, 0o400);
  configure(t, { registry: `http://127.0.0.1:${port}/`, cache: join(file, 'cache') });
  await installPackages(root, () => undefined, never);
  t.ok(existsSync(join(root, 'node_modules', 'tiny', 'package.json')));
  t.notOk(existsSync(join(root, 'build', '.npm-cache')), 'what took its place is gone');
});

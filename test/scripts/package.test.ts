/** What `npm pack` makes: complete without anything that only developers have, and without what only they need. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import ts from 'typescript';
import { CLONE_COMMANDS } from '../../scripts/clone-commands.ts';
import { COMMANDS } from '../../scripts/commands.ts';
import { projectFolder } from '../fixtures/source-files.ts';
import { temporaryFolder, type Teardown } from '../fixtures/temporary-folder.ts';

/** Nothing of the test runner, of the person who runs it, or of a network. */
const environment = (home: string) => ({
  PATH: process.env['PATH'],
  HOME: home,
  npm_config_registry: 'http://127.0.0.1:9/',
  npm_config_update_notifier: 'false',
});

const about = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly bundleDependencies: readonly string[];
};

/** Below the package, as `npm pack` would put them into the archive. */
function packedFiles(): string[] {
  const home = temporaryFolder(t);
  const said = execFileSync('npm', ['pack', '--dry-run', '--json'], {
    cwd: projectFolder,
    env: environment(home),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 26,
  });
  const [packed] = JSON.parse(said) as { files: { path: string }[] }[];
  return (packed?.files ?? []).map(({ path }) => path);
}

t.setTimeout(240_000);

const packed = packedFiles();
/** In it, of the packages that it carries. */
const carried = (path: string) => path.startsWith('node_modules/');
/** What a clone loads, and with it all that only a clone has. */
const doorsOfClone = ['scripts/prepare.mjs', 'build/scripts/clone-commands.js'];
/** Native code for other machines; not copied, for speed alone. */
const foreign = (path: string) =>
  path.endsWith('.node') && !path.endsWith(`_${process.platform}_${process.arch}_${process.versions.modules}.node`);

/** A project into which these files were installed as `vello`, and beside it, as npm does it, what it does not carry. */
function install(t: Teardown, files: readonly string[]): string {
  const project = temporaryFolder(t);
  const modules = join(project, 'node_modules');
  for (const path of files.filter((file) => !foreign(file)))
    cpSync(join(projectFolder, path), join(modules, 'vello', path));
  const apart = Object.keys(about.dependencies).filter((name) => !about.bundleDependencies.includes(name));
  for (const name of apart) cpSync(join(projectFolder, 'node_modules', name), join(modules, name), { recursive: true });
  mkdirSync(join(modules, '.bin'));
  symlinkSync('../vello/scripts/vello.mjs', join(modules, '.bin', 'vello'));
  return project;
}

const project = install(t, packed);

function vello(args: readonly string[], folder = project) {
  const program = join(folder, 'node_modules', '.bin', 'vello');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    env: environment(folder),
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

/** Runs an ECMAScript module there. */
const run = (folder: string, code: string) =>
  spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    ...{ cwd: folder, env: environment(folder), encoding: 'utf8', timeout: 30_000 },
  });

/** Of which the compiler leaves nothing to load. */
const holdsTypesOnly = (path: string) =>
  /^(\/\*.*?\*\/)?\s*export \{\};/s.test(readFileSync(join(projectFolder, path), 'utf8'));

/** What a module imports, whichever way, and the files that its threads start in. */
function modulesOf(path: string): string[] {
  if (doorsOfClone.includes(path)) return [];
  const text = readFileSync(join(projectFolder, path), 'utf8');
  const threads = [...text.matchAll(/new URL\('(\.[^']+\.js)', import\.meta\.url\)/g)].map(([, file = '']) => file);
  return [...ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName), ...threads];
}

t.test('it holds every module that it loads, and none that it does not', async (t) => {
  const reached = new Set<string>();
  const packages = new Set<string>();
  const walk = (path: string) => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const specifier of modulesOf(path)) {
      if (specifier.startsWith('.')) walk(join(dirname(path), specifier));
      else if (!/^(node:|#)/.test(specifier)) packages.add(/^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier);
    }
  };
  for (const entry of ['scripts/vello.mjs', 'build/scripts/main.js', 'build/transports/client/desktop-client.js'])
    walk(entry);
  const isModule = (path: string) =>
    /\.m?js$/.test(path) && !carried(path) && !path.startsWith('build/vendor/') && !holdsTypesOnly(path);
  t.strictSame(packed.filter(isModule).sort(), [...reached].filter((path) => !doorsOfClone.includes(path)).sort());
  // What ONNX Runtime loads, its own file names; the code imports its types from there.
  t.strictSame([...packages, 'onnxruntime-common'].sort(), Object.keys(about.dependencies).sort());
});

t.test('it holds the settings and the unit that docs/deploying.md puts in their places', async (t) => {
  for (const file of ['nginx.conf', 'caddyfile', 'vello.service'])
    t.ok(packed.includes(`config/deployment/${file}`), file);
});

t.test('it holds no test, no source and no map', async (t) => {
  t.strictSame(
    packed.filter((path) => !carried(path) && /\.test\.|\.map$|(?<!\.d)\.ts$|^(build\/)?test\//.test(path)),
    [],
  );
});

t.test('no package of the developers is within its reach', async (t) => {
  const { resolve } = createRequire(join(project, 'node_modules', 'vello', 'build', 'scripts', 'main.js'));
  const isThere = (name: string) => (resolve.paths(name) ?? []).some((folder) => existsSync(join(folder, name)));
  t.strictSame(Object.keys(about.devDependencies).filter(isThere), []);
  t.strictSame(
    Object.keys(about.dependencies).filter((name) => !isThere(name)),
    [],
  );
});

t.test('it names its version and its commands, without those that need sources', async (t) => {
  t.match(vello(['--version']).stdout, /^\d+\.\d+\.\d+\n$/);
  const { stdout } = vello(['--help']);
  for (const name of Object.keys(COMMANDS)) t.match(stdout, new RegExp(`^  ${name} `, 'm'));
  for (const name of Object.keys(CLONE_COMMANDS)) t.notMatch(stdout, new RegExp(`^  ${name} `, 'm'));
});

t.test('each of its commands can be loaded', async (t) => {
  const list = pathToFileURL(join(project, 'node_modules', 'vello', 'build', 'scripts', 'commands.js')).href;
  const code = `const { COMMANDS } = await import('${list}');
    for (const [name, { load }] of Object.entries(COMMANDS)) console.log(name, (await load()).command.usage);`;
  const { stdout, stderr } = run(project, code);
  t.equal(stderr, '');
  for (const name of Object.keys(COMMANDS)) t.match(stdout, `${name} ${name}`);
});

t.test('where its server does not load, it says so without a stack', async (t) => {
  const bare = install(t, ['package.json', 'scripts/vello.mjs']);
  const { status, stderr } = vello(['--version'], bare);
  t.equal(status, 1);
  t.match(stderr, /runs on Linux and macOS .* with Node\.js 20, 22 or 24.*\n.*uws_.*\n$/);
});

t.test('a gateway alone names the server it must be given', async (t) => {
  const { status, stderr } = vello(['start', '--roles', 'gateway']);
  t.equal(status, 1);
  t.match(stderr, /gateway without api: set VELLO_REDIS_URL to/);
});

t.test('its state is below the folder in which it is started, not inside the package', async (t) => {
  const { status, stderr } = vello(['credits', 'audit']);
  t.equal(status, 1);
  t.match(stderr, `${join(project, '.vello')}.`);
  t.match(stderr, 'npx vello start');
  t.strictSame(
    readdirSync(join(project, 'node_modules', 'vello')).filter(
      (name) => !packed.some((path) => path.split('/')[0] === name),
    ),
    [],
  );
});

t.test('the desktop client loads ws and msgpackr, and no other package', async (t) => {
  const files = packed.filter((path) => !/^(node_modules\/(?!ws\/)|build\/vendor)/.test(path));
  const desktop = install(t, files);
  const code = `
    import { ClientError, createDesktopClient, openDeviceIdentity } from 'vello/client';
    const [apiUrl, gatewayUrl] = ['http://127.0.0.1:9', 'http://127.0.0.1:9'];
    const client = createDesktopClient({ apiUrl, gatewayUrl, identity: await openDeviceIdentity('key'), fingerprints: {}, device: {} });
    const error = await client.register().catch((error) => error);
    console.log(error instanceof ClientError, error.code);`;
  const { stdout, stderr } = run(desktop, code);
  t.equal(stderr, '');
  t.equal(stdout, 'true NETWORK\n');
});

t.test('its types hold in a strict project, and refuse what is wrong', async (t) => {
  writeFileSync(
    join(project, 'desktop.ts'),
    `import { ClientError, createDesktopClient, openDeviceIdentity, type DesktopConnection } from 'vello/client';
     const urls = { apiUrl: 'https://api.example', gatewayUrl: 'https://gateway.example' };
     const identity = await openDeviceIdentity('key');
     const device = { name: 'laptop', os: 'linux', app_version: '1.0.0' };
     const client = createDesktopClient({ ...urls, identity, fingerprints: { machine_id: 'one' }, device });
     const balance: number = (await client.register()).credits.balance;
     const connection: DesktopConnection = await client.connect({ job_created: ({ job_id }) => console.log(job_id.length, balance) });
     for await (const text of client.transcribe('speech.flac', { model: 'tiny' })) process.stdout.write(text);
     await connection.close().catch((error: unknown) => error instanceof ClientError && error.code.length);
     // @ts-expect-error
     createDesktopClient({ ...urls, identity });`,
  );
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  const flags = [
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noEmit',
    '--lib',
    'es2023',
    '--target',
    'es2022',
    '--module',
    'nodenext',
  ];
  const node = ['--types', 'node', '--typeRoots', join(projectFolder, 'node_modules', '@types')];
  const compiler = join(projectFolder, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...flags, ...node, 'desktop.ts'], {
    cwd: project,
    encoding: 'utf8',
  });
  t.equal(stdout, '');
  t.equal(status, 0);
});

t.test('a clone that cannot be built is not packed, and says why', async (t) => {
  const clone = temporaryFolder(t);
  for (const name of ['.npmrc', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json'])
    cpSync(join(projectFolder, name), join(clone, name), { recursive: true });
  const { status, stderr } = spawnSync('npm', ['pack'], { cwd: clone, env: environment(clone), encoding: 'utf8' });
  t.not(status, 0);
  t.match(stderr, /packages cannot be installed: http:\/\/127\.0\.0\.1:9\/ cannot be reached/);
  t.strictSame(
    readdirSync(clone).filter((name) => name.endsWith('.tgz')),
    [],
  );
});

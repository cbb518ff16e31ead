/** Roles that can never work with servers of their own say so instead of starting them; `vello --version` names the build. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { projectFolder } from '../fixtures/source-files.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

function vello(home: string, args: readonly string[]) {
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('VELLO_'));
  return spawnSync(process.execPath, [join(projectFolder, 'scripts', 'vello.mjs'), ...args], {
    env: { ...Object.fromEntries(environment), VELLO_HOME: home },
    encoding: 'utf8',
    timeout: 30_000,
  });
}

t.test('a gateway or a collector alone names the servers it must be given', async (t) => {
  const home = temporaryFolder(t);
  const gateway = vello(home, ['start', '--roles', 'gateway']);
  t.equal(gateway.status, 1);
  t.match(gateway.stderr, /gateway without api: set VELLO_REDIS_URL to/);
  const both = vello(home, ['start', '--roles', 'gateway,collector']);
  t.equal(both.status, 1);
  t.match(
    both.stderr,
    /gateway and collector without api: set VELLO_DATABASE_URL and VELLO_REDIS_URL to .+, and VELLO_API_URL to/,
  );
});

t.test('--version prints the version and nothing else', async (t) => {
  t.match(vello(temporaryFolder(t), ['--version']).stdout, /^\d+\.\d+\.\d+\n$/);
});

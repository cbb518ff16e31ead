/** What `vello start` says before it starts anything: which servers a role alone must be given, and that admission is open. `vello --version` names the build. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { findFreePort } from '../../transports/process/free-port.ts';
import { projectFolder } from '../fixtures/source-files.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

function vello(home: string, args: readonly string[], settings: Readonly<Record<string, string>> = {}) {
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('VELLO_'));
  return spawnSync(process.execPath, [join(projectFolder, 'scripts', 'vello.mjs'), ...args], {
    env: { ...Object.fromEntries(environment), VELLO_HOME: home, ...settings },
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

t.test('a gateway that admits everybody says so on the terminal, and one that does not is silent', async (t) => {
  const settings = {
    VELLO_GATEWAY_LISTEN: '127.0.0.1:0',
    VELLO_ADMIN_LISTEN: '127.0.0.1:0',
    VELLO_REDIS_URL: `redis://127.0.0.1:${await findFreePort()}`,
  };
  const started = (admission: string) =>
    vello(temporaryFolder(t), ['start', '--roles', 'gateway'], { ...settings, VELLO_GATEWAY_ADMISSION: admission });
  const open = started('open');
  t.match(open.stderr, /nothing listens there/, 'and went no further');
  t.match(open.stdout, /ADMISSION IS OPEN \(VELLO_GATEWAY_ADMISSION\)/);
  t.notMatch(started('grants').stdout, /ADMISSION/);
});

t.test('--version prints the version and nothing else', async (t) => {
  t.match(vello(temporaryFolder(t), ['--version']).stdout, /^\d+\.\d+\.\d+\n$/);
});

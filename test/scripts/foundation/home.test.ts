import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openHome } from '../../../scripts/foundation/home.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

t.test('keeps a second Vello out while the first runs, and lets the next in', async (t) => {
  const path = join(temporaryFolder(t), 'home');
  const first = openHome(path);
  t.throws(() => openHome(path), /already runs here, as process \d+/);
  first.release();
  openHome(path).release();
  t.equal(existsSync(join(path, 'vello.pid')), false);
});

t.test('is not kept closed by a Vello that was killed, nor by a stranger that got its process id', async (t) => {
  const path = join(temporaryFolder(t), 'home');
  openHome(path).release();
  for (const identity of [
    { pid: 2 ** 22 + 1, startedAtTicks: 1 },
    { pid: process.pid, startedAtTicks: 1 },
    'garbage',
  ]) {
    writeFileSync(join(path, 'vello.pid'), JSON.stringify(identity));
    openHome(path).release();
  }
});

t.test('remembers addresses in a file that only its owner reads', async (t) => {
  const path = join(temporaryFolder(t), 'home');
  const home = openHome(path);
  home.remember('redis', { port: 1234, password: 'one' });
  home.remember('postgres', { port: 2345, password: 'other' });
  t.strictSame(home.recall('redis'), { port: 1234, password: 'one' });
  t.equal(statSync(join(path, 'services.json')).mode & 0o777, 0o600);
  home.release();
});

t.test('says which folder cannot be used, and what to do', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, '');
  t.throws(() => openHome(join(file, 'home')), /cannot be used: .*\(ENOTDIR\).*VELLO_HOME/s);
});

t.test(
  'a folder below one that takes none is refused at once',
  { skip: existsSync('/proc') ? false : 'there is no /proc here' },
  async (t) => {
    t.throws(() => openHome('/proc/vello/home'), /cannot be used/);
  },
);

t.test('a link that leads nowhere is refused', async (t) => {
  const link = join(temporaryFolder(t), 'link');
  symlinkSync(join(link, 'nowhere'), link);
  t.throws(() => openHome(link), /cannot be used/);
});

t.test('modes in the home hold under any umask', async (t) => {
  const before = process.umask(0o022);
  t.teardown(() => void process.umask(before));
  for (const umask of [0o000, 0o077, 0o777]) {
    const path = join(temporaryFolder(t), 'home');
    process.umask(umask);
    const home = openHome(path);
    home.secret('secret.key');
    home.remember('redis', { port: 1, password: 'x' });
    writeFileSync(home.file('a log'), 'text');
    const mode = (...names: string[]) => (statSync(home.file(...names)).mode & 0o777).toString(8);
    t.strictSame(
      [mode(), mode('secret.key'), mode('services.json'), mode('a log')],
      ['711', '600', '600', '644'],
      `umask ${umask.toString(8)}`,
    );
    home.release();
  }
});

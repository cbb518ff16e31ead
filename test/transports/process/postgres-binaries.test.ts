/** What npm leaves of PostgreSQL's package becomes runnable without its install script. */
import { chmodSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeReady } from '../../../transports/process/postgres-binaries.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

t.test('libraries are linked, and programs opened to others where root starts them', async (t) => {
  const folder = temporaryFolder(t);
  const [bin, lib] = [join(folder, 'native', 'bin'), join(folder, 'native', 'lib')];
  for (const path of [bin, lib]) mkdirSync(path, { recursive: true });
  writeFileSync(join(bin, 'postgres'), '', { mode: 0o700 });
  writeFileSync(join(lib, 'libpq.so.5.18'), 'library');
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }];
  writeFileSync(join(folder, 'native', 'pg-symlinks.json'), JSON.stringify(links));

  t.equal(makeReady(folder, true), bin);
  t.equal(readFileSync(join(lib, 'libpq.so.5'), 'utf8'), 'library');
  t.equal(readlinkSync(join(lib, 'libpq.so.5')), 'libpq.so.5.18', 'the folder can be moved');
  t.equal(statSync(join(bin, 'postgres')).mode & 0o777, 0o755);
  t.equal(makeReady(folder, true), bin, 'and again');
});

t.test(
  'programs that their user may run keep their mode, which may not be his to change; others are opened',
  async (t) => {
    const folder = temporaryFolder(t);
    const program = join(folder, 'native', 'bin', 'postgres');
    mkdirSync(join(folder, 'native', 'bin'), { recursive: true });
    writeFileSync(program, '');
    for (const [left, becomes] of [
      [0o750, 0o750],
      [0o500, 0o500],
      [0o640, 0o755],
    ] as const) {
      chmodSync(program, left);
      makeReady(folder, false);
      t.equal(statSync(program).mode & 0o777, becomes);
    }
  },
);

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AppendFile } from '../../../transports/process/append-file.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

const openFiles = () => readdirSync('/proc/self/fd').length;

function setUp(t: Test) {
  const path = join(temporaryFolder(t), 'state', 'lines');
  const file = new AppendFile(path);
  t.teardown(() => file.close());
  file.append('old\n');
  return { path, file };
}

t.test('what is replaced is gone, what follows is appended to the new, and no descriptor is left', (t) => {
  const { path, file } = setUp(t);
  const before = openFiles();
  for (let again = 0; again < 3; again += 1) file.replace('new\n');
  file.append('next\n');
  t.equal(readFileSync(path, 'utf8'), 'new\nnext\n');
  t.equal(file.size, 9);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(openFiles(), before);
  t.end();
});

t.test('where a file cannot be replaced the old one goes on, and nothing of the new is left', (t) => {
  const { path, file } = setUp(t);
  const before = openFiles();
  // Nothing can be renamed to a folder.
  rmSync(path);
  mkdirSync(path);
  t.throws(() => file.replace('new\n'));
  t.equal(openFiles(), before);
  t.notOk(existsSync(`${path}.new`));
  file.append('next\n');
  t.equal(file.read(0, 100).toString(), 'old\nnext\n');
  t.end();
});

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { openLogFile } from '../../scripts/log-file.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const line = (level: string, msg: string) => `${JSON.stringify({ level, msg })}\n`;

t.test('warnings and errors that the disk does not take are said elsewhere, and the disk is tried again', async (t) => {
  const path = join(temporaryFolder(t), 'logs', 'vello.log');
  // A file where the folder should be: the disk of an ordinary test is never full.
  writeFileSync(dirname(path), '');
  const said: string[] = [];
  const log = openLogFile(path, (text) => said.push(text));
  for (const level of ['info', 'warn', 'error']) log.write(line(level, `${level} in vain`));
  t.same(said, [line('warn', 'warn in vain'), line('error', 'error in vain')]);
  rmSync(dirname(path));
  log.write(line('error', 'kept'));
  t.equal(readFileSync(path, 'utf8'), line('error', 'kept'));
  t.equal(said.length, 2);
  t.same(log.lastErrors(), ['  warn in vain', '  error in vain', '  kept']);
  log.close();
});

t.test('a line is in the file when it has been written, and the previous run is kept beside it', async (t) => {
  const path = join(temporaryFolder(t), 'vello.log');
  for (const run of ['first', 'second']) {
    const log = openLogFile(path);
    log.write(line('info', run));
    t.equal(readFileSync(path, 'utf8'), line('info', run));
    log.close();
  }
  t.equal(readFileSync(`${path}.1`, 'utf8'), line('info', 'first'));
});

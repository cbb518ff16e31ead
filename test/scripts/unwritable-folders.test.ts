/** A folder or disk that cannot be written is named, with what to do, and never with a stack. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { explainFileError } from '../../scripts/explain-file-error.mjs';
import { findNobody } from '../../transports/process/own-user-id.ts';
import { projectFolder } from '../fixtures/source-files.ts';
import { temporaryFolder, type Teardown } from '../fixtures/temporary-folder.ts';

/** The door of a clone that was never set up. */
function freshClone(t: Teardown): string {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o755);
  const root = join(folder, 'clone');
  cpSync(join(projectFolder, 'scripts'), join(root, 'scripts'), { recursive: true });
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json']) {
    cpSync(join(projectFolder, name), join(root, name));
  }
  return root;
}

/** As an ordinary user, whom modes bind. */
function start(root: string, environment: Readonly<Record<string, string>> = {}) {
  const user = process.getuid?.() === 0 ? findNobody() : {};
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'vello.mjs'), 'start'], {
    ...user,
    ...{ encoding: 'utf8', timeout: 60_000, cwd: '/' },
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      npm_config_registry: 'http://127.0.0.1:9/',
      ...environment,
    },
  });
  return { status, output: stdout + stderr };
}

t.test('a clone that this user may not write says whose it is and what to do', async (t) => {
  const { status, output } = start(readOnly(t, freshClone(t)));
  t.equal(status, 1);
  t.match(output, /clone\/build may not be used by this user.*\(EACCES\)/);
  t.notMatch(output, /\n\s+at /);
});

/** Owned by whoever runs the tests, and closed to writing even for that user. */
function readOnly(t: Teardown, root: string): string {
  chmodSync(root, 0o555);
  // Before the folder is removed: teardowns run last first.
  t.teardown(() => chmodSync(root, 0o755));
  return root;
}

t.test('a file where a folder should be is named', async (t) => {
  const root = freshClone(t);
  writeFileSync(join(root, 'build'), '');
  const { status, output } = start(root);
  t.equal(status, 1);
  t.match(output, /clone\/build is a file where a folder should be.*\(EEXIST\)/);
  t.notMatch(output, /\n\s+at /);
});

const full = '/dev/full';

t.test('a full disk is named', { skip: existsSync(full) ? false : `there is no ${full} here` }, async (t) => {
  let refusal: unknown;
  try {
    writeFileSync(full, 'x');
  } catch (error) {
    refusal = error;
  }
  t.match(explainFileError(refusal), /the disk is full.*\(ENOSPC\)/);
});

const canMount = spawnSync('unshare', ['-m', 'true']).status === 0;

t.test('a read-only file system is named', { skip: canMount ? false : 'mounts cannot be made here' }, async (t) => {
  const root = freshClone(t);
  const vello = `exec ${process.execPath} ${join(root, 'scripts', 'vello.mjs')} start`;
  const mounts = `mount --bind ${root} ${root} && mount -o remount,ro,bind ${root}`;
  const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', `${mounts} && ${vello}`], { encoding: 'utf8' });
  t.equal(status, 1);
  t.match(stderr, /clone\/build .*read-only file system/);
  t.notMatch(stderr, /\n\s+at /);
});

t.test('what is no trouble with a file is explained by nobody', async (t) => {
  for (const error of [
    new Error('x'),
    undefined,
    Object.assign(new Error('x'), { code: 'EACCES', syscall: 'listen' }),
  ]) {
    t.equal(explainFileError(error), undefined);
  }
});

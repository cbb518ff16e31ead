/**
 * Says what is wrong with a file or folder, and what to do, where the system refused to read or write one. Plain JavaScript, since it is
 * already needed before the first build.
 */
import { existsSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';

const ADVICE = {
  EACCES: (path) => `may not be used by this user${whose(path)}. Start Vello as the owner, or give this user the right`,
  EPERM: (path) =>
    `may not be changed by this user${whose(path)}. Start Vello as the owner, or give this user the right`,
  EROFS: () => 'is on a read-only file system. Use a folder that can be written',
  // Node.js calls a folder that cannot be made on a read-only file system one that is not there.
  ENOENT: () => 'cannot be made: it is on a read-only file system. Use a folder that can be written',
  ENOSPC: () => 'cannot be written: the disk is full. Free some space (1 GB is enough)',
  EDQUOT: () => 'cannot be written: the quota of this user is used up. Free some space (1 GB is enough)',
  EMFILE: () => 'cannot be opened: this process may open no more files. Raise the limit (ulimit -n)',
  EEXIST: () => 'is a file where a folder should be. Remove it or give it another name',
  ENOTDIR: () =>
    'cannot be reached: a part of this path is a file where a folder should be. Remove it or give it another name',
  EISDIR: () => 'is a folder where a file should be. Remove it or give it another name',
  ELOOP: () => 'leads in a circle of links. Remove them',
};

/**
 * @param {unknown} error
 * @returns {string | undefined} one or two sentences, or undefined for an error that is not about a file
 */
export function explainFileError(error) {
  const { code, path, dest, syscall } = error instanceof Error ? error : {};
  const known = ADVICE[code];
  const isOfFiles = typeof path === 'string' || code === 'ENOSPC' || code === 'EDQUOT';
  if (code === 'ENOENT' && syscall !== 'mkdir') return undefined;
  if (known === undefined || !isOfFiles || syscall === 'connect' || syscall === 'listen') return undefined;
  const what = typeof path === 'string' ? (dest ?? path) : 'A file';
  return (
    `${what} ${known(what)} (${code}), then run the same command again.\n` +
    'Vello writes below VELLO_HOME (.vello), and a clone into its own folder.'
  );
}

/** `, but belongs to root`; nothing where that is not the reason. */
function whose(path) {
  let there = path;
  while (!existsSync(there) && there !== dirname(there)) there = dirname(there);
  try {
    const { uid } = statSync(there);
    if (uid === userInfo().uid) return '';
    return `: ${there} belongs to ${uid === 0 ? 'root' : `user ${uid}`}`;
  } catch {
    return '';
  }
}

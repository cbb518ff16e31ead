/**
 * A user id for a program that root starts: a number that no account and no other program has, so that nobody else owns what it writes. No
 * account is made for it. The owner of the files is the memory of it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lchownSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface UserId {
  readonly uid: number;
  readonly gid: number;
}

/** Neither Debian nor systemd hands these out, and maps of user namespaces (65 536 ids) hold them. */
const FIRST = 60_706;
const COUNT = 478;

/**
 * Whom `folder` belongs to, after root or `nobody`, who never should own it, have handed it over to an id of its own.
 * Root only. @throws Error where every id is taken
 */
export function settleOwner(folder: string): UserId {
  const { uid, gid } = statSync(folder);
  const isOurs = uid >= FIRST && uid < FIRST + COUNT;
  const stays = isOurs ? !hasAccount(uid) : uid !== 0 && uid !== findNobody().uid;
  if (stays) return { uid, gid };
  const id = freeId(folder);
  handOver(folder, id);
  return { uid: id, gid: id };
}

/** Everything in `folder` and itself. */
function handOver(folder: string, id: number): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) handOver(path, id);
    else lchownSync(path, id, id);
  }
  lchownSync(folder, id, id);
}

/** Where two folders meet by accident, the later takes the next; it need not know of the other while neither runs. */
function freeId(folder: string): number {
  const seed = createHash('sha256').update(dirname(folder)).digest().readUInt32BE(0);
  const running = usersThatRun();
  for (let step = 0; step < COUNT; step += 1) {
    const id = FIRST + ((seed + step) % COUNT);
    if (!running.has(id) && !hasAccount(id)) return id;
  }
  throw new Error(`Every user id from ${FIRST} to ${FIRST + COUNT - 1} is taken on this machine.`);
}

/** Asks whatever this machine keeps its accounts in, and its files where it has no getent. */
function hasAccount(id: number): boolean {
  return ['passwd', 'group'].some((database) => {
    const { status, error } = spawnSync('getent', [database, String(id)], { stdio: 'ignore' });
    if (error === undefined) return status === 0;
    return readFileSync(`/etc/${database}`, 'utf8')
      .split('\n')
      .some((line) => line.split(':')[2] === String(id));
  });
}

function usersThatRun(): ReadonlySet<number> {
  const users = readdirSync('/proc').map((name) => {
    try {
      return /^\d+$/.test(name) ? lstatSync(`/proc/${name}`).uid : -1;
    } catch {
      // It ended meanwhile.
      return -1;
    }
  });
  return new Set(users);
}

/** The account without rights that every system has. */
export function findNobody(): UserId {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('nobody:'));
  const [, , uid, gid] = (line ?? '').split(':').map(Number);
  return uid === undefined || gid === undefined ? { uid: 65_534, gid: 65_534 } : { uid, gid };
}

/**
 * The folder of all state (VELLO_HOME): makes it, keeps a second Vello out of it, and remembers what must be the same at the next start.
 * Its layout: `vello.pid`, `services.json`, `secret.key`, `inference.key`, `keys/`, `postgres/`, `redis/`, `gateway/`, `logs/`, `cache/`.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Renewals } from '../../actors/programs/renewal.ts';
import { identify, type ProcessIdentity } from '../../transports/process/process-identity.ts';
import { lockHolder, takeProcessLock } from '../../transports/process/process-lock.ts';
import { CommandError } from '../command.ts';
import { explainFileError } from '../explain-file-error.mjs';

/** Where a server of our own listens, and what it asks for. */
export interface ServerAddress {
  readonly port: number;
  readonly password: string;
}

export interface Home {
  readonly path: string;
  /** Path of something inside. */
  file(...names: string[]): string;
  /** The address a server had last time. */
  recall(server: string): ServerAddress | undefined;
  remember(server: string, address: ServerAddress): void;
  /** A random secret of that name, made once and kept in a file that only its owner reads. */
  secret(name: string): string;
  /** Says to `vello restart` that the processes of this Vello can be replaced, and how that goes. */
  tell(renewals: Renewals): void;
  /** Lets the next Vello in. */
  release(): void;
}

/** The Vello that runs in a home. */
export interface Occupant extends ProcessIdentity {
  /** Absent where it is a single process. */
  readonly renewals?: Renewals;
}

const LOCK = 'vello.pid';

export const occupantOf = (path: string): Occupant | undefined => lockHolder(join(path, LOCK));

const alreadyRuns = ({ pid }: ProcessIdentity): CommandError =>
  new CommandError(
    `Vello already runs here, as process ${pid}. Stop it first, or start this one with another VELLO_HOME and other addresses.`,
  );

/** With what is missing above it, one by one: the recursive form of Node.js never returns below a folder like /proc. */
function makeFolder(path: string, mode: number): void {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const folder of missing) mkdirSync(folder, { mode });
}

/** @throws CommandError where the folder cannot be written, or another Vello runs in it. */
export function openHome(path: string): Home {
  const lock = join(path, LOCK);
  // Every mode below is meant as it is written, whatever the shell that started this thinks of modes; none lets others write.
  process.umask(0o022);
  try {
    // Others may enter but not list: PostgreSQL runs as another user when Vello is root. Secrets inside have modes of their own.
    makeFolder(path, 0o711);
    const holder = takeProcessLock(lock);
    if (holder !== undefined) throw alreadyRuns(holder);
  } catch (error) {
    const explained = explainFileError(error);
    if (explained === undefined) throw error;
    throw new CommandError(`The folder ${path} cannot be used: ${explained}`);
  }
  const memory = join(path, 'services.json');
  const recallAll = (): Record<string, ServerAddress> => {
    try {
      return JSON.parse(readFileSync(memory, 'utf8')) as Record<string, ServerAddress>;
    } catch {
      return {};
    }
  };
  return {
    path,
    file: (...names) => join(path, ...names),
    recall: (server) => recallAll()[server],
    remember(server, address) {
      const text = JSON.stringify({ ...recallAll(), [server]: address }, undefined, 2);
      writeFileSync(`${memory}.new`, `${text}\n`, { mode: 0o600 });
      renameSync(`${memory}.new`, memory);
    },
    secret: (name) => keepSecret(join(path, name)),
    tell: (renewals) => {
      // Renamed into place: whoever reads it, and whoever comes while we run, finds all of it.
      writeFileSync(`${lock}.new`, JSON.stringify({ ...identify(process.pid), renewals }), { mode: 0o600 });
      renameSync(`${lock}.new`, lock);
    },
    release: () => rmSync(lock, { force: true }),
  };
}

export const newPassword = (): string => randomBytes(24).toString('base64url');

function keepSecret(file: string): string {
  try {
    writeFileSync(file, `${randomBytes(48).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8').trim();
}

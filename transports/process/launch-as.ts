/**
 * Starts programs under another identity than ours, and bound to our life. PostgreSQL refuses to run as root, so root gives it a user id;
 * which one is `own-user-id.ts`'s to say. Where a folder on the way is closed to that user (a clone below /root), the program keeps one
 * capability that opens it.
 */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { UserId } from './own-user-id.ts';

export interface LaunchAs {
  /** The command that runs `command` under this identity and, where the system can, sends it `deathSignal` when its parent dies. */
  commandLine(
    command: string,
    args: readonly string[],
    deathSignal: 'SIGTERM' | 'SIGINT',
  ): { command: string; args: string[] };
}

/** The identity Vello itself has. */
export function launchAsOurselves(): LaunchAs {
  const setpriv = findExecutable('setpriv', ['/usr/bin', '/bin']);
  return {
    commandLine: (command, args, deathSignal) =>
      setpriv === undefined
        ? { command, args: [...args] }
        : { command: setpriv, args: [`--pdeathsig=${deathSignal.slice(3)}`, '--', command, ...args] },
  };
}

/**
 * The identity `user`, which may enter each of `paths` whatever their modes. Root only.
 * @throws Error saying what to do, where the system cannot give it.
 */
export function launchAsUser(user: UserId, paths: readonly string[]): LaunchAs {
  const setpriv = findExecutable('setpriv', ['/usr/bin', '/bin']);
  if (setpriv === undefined) {
    throw new Error('Running as root needs setpriv (package util-linux) to start PostgreSQL as another user.');
  }
  const closed = paths.find((path) => !isOpenToOthers(path));
  const opening = closed === undefined ? [] : openingCapability(closed);
  return {
    commandLine: (command, args, deathSignal) => ({
      command: setpriv,
      args: [
        `--reuid=${user.uid}`,
        `--regid=${user.gid}`,
        '--clear-groups',
        ...opening,
        `--pdeathsig=${deathSignal.slice(3)}`,
        '--',
        command,
        ...args,
      ],
    }),
  };
}

/** Full path of an executable in one of `folders`, or `undefined`. */
export function findExecutable(name: string, folders: readonly string[]): string | undefined {
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return statSync(path).isFile();
      } catch {
        return false;
      }
    });
}

function isOpenToOthers(path: string): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/**
 * `access(2)` ignores capabilities of a real user other than root unless the no_setuid_fixup bit is set, and initdb asks it.
 * Containers usually withhold dac_read_search and grant dac_override; the narrower one is taken where there is a choice.
 */
function openingCapability(closed: string): string[] {
  const chosen = heldCapability();
  if (chosen === undefined) {
    throw new Error(
      `PostgreSQL must not run as root, and another user may not enter ${closed}. ` +
        'Move Vello (or VELLO_HOME) to a folder that others may enter, such as /opt or /tmp, or start it as an ordinary user.',
    );
  }
  return ['--securebits=+no_setuid_fixup', `--inh-caps=-all,+${chosen}`, `--ambient-caps=+${chosen}`];
}

/** Whether a program that we start as another user can be let into a folder that is closed to that user. */
export const opensClosedFolders = (): boolean => heldCapability() !== undefined;

function heldCapability(): string | undefined {
  const permitted = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const has = (bit: number) => ((BigInt(`0x${permitted}`) >> BigInt(bit)) & 1n) === 1n;
  return has(2) ? 'dac_read_search' : has(1) ? 'dac_override' : undefined;
}

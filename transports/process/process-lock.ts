/** A file that says which process has a folder to itself. One that was killed leaves it behind; whoever comes next sees that nobody is there. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { identify, stillRuns, type ProcessIdentity } from './process-identity.ts';

/** Takes the lock for this process. Returns who has it instead, where somebody does. @throws where the disk does not allow it */
export function takeProcessLock(file: string): ProcessIdentity | undefined {
  const ours = JSON.stringify(identify(process.pid));
  for (;;) {
    try {
      writeFileSync(file, ours, { flag: 'wx', mode: 0o600 });
      return undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = lockHolder(file);
    if (holder !== undefined) return holder;
    // What a killed process left behind.
    rmSync(file, { force: true });
  }
}

/** The living process that has the lock. */
export function lockHolder(file: string): ProcessIdentity | undefined {
  try {
    const holder = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
    return stillRuns(holder) ? holder : undefined;
  } catch {
    return undefined;
  }
}

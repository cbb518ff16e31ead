/** Tells whether a process id still means the process it once meant. A bare id does not: the system hands ids out again. */
import { readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot (proc(5), field 22 of stat); 0 where the system does not tell. */
  readonly startedAtTicks: number;
}

/** Returns the identity of a living process, or `undefined` where there is none. A zombie counts as dead. */
export function identify(pid: number): ProcessIdentity | undefined {
  if (process.platform !== 'linux') return isAlive(pid) ? { pid, startedAtTicks: 0 } : undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name is in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startedAtTicks: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

/** Whether the very process that `identity` was taken from still runs. */
export function stillRuns(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  return now !== undefined && now.startedAtTicks === identity.startedAtTicks;
}

/** The command line of a process, its arguments joined by spaces; empty where it cannot be read. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** The folder a process works in; empty where it cannot be read. */
export function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

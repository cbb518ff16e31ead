/** What the system says of a process and all its children: processor time and memory; and on which processors they run. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** A process and all that descend from it: nginx works in a child, and so may others. */
export function processTree(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of listFolder('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid)) parents.set(pid, Number(statOf(pid)[1]));
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === root || isBelow(parents.get(pid)));
  return [...parents.keys()].filter(isBelow);
}

/**
 * Microseconds of processor time that the threads of these processes have used, `undefined` where there is no /proc. The scheduler counts
 * nanoseconds; where it does not tell, ticks of 10 ms are counted.
 */
export function processorMicros(pids: readonly number[]): number | undefined {
  if (process.platform !== 'linux') return undefined;
  return pids.reduce((sum, pid) => sum + (schedulerMicros(pid) ?? tickMicros(pid)), 0);
}

/** Bytes of memory that these processes hold, without what they share with others; `undefined` where there is no /proc. */
export function residentBytes(pids: readonly number[]): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const kilobytes = pids.map((pid) => /^RssAnon:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/status`))?.[1]);
  return kilobytes.reduce((sum, kB) => sum + Number(kB ?? 0) * 1024, 0);
}

/** Begins to watch the machine. What it returns gives the share of the processors that no process of this one's tree has taken since. */
export function watchOthers(): () => number | undefined {
  const look = () => ({ atMs: performance.now(), busy: busyMicros(), own: processorMicros(processTree(process.pid)) });
  const before = look();
  return () => {
    const after = look();
    if (before.busy === undefined || after.busy === undefined) return undefined;
    const others = after.busy - before.busy - ((after.own ?? 0) - (before.own ?? 0));
    return Math.max(0, others / ((after.atMs - before.atMs) * 1000 * cpus().length));
  };
}

export interface Pinning {
  readonly inWords: string;
  server(pid: number): void;
  other(pid: number): void;
}

/** Keeps the measured server on the last processor and everything else on the others. Returns what did so, in words. */
export function createPinning(): Pinning {
  const last = cpus().length - 1;
  if (last < 1 || spawnSync('taskset', ['-p', String(process.pid)]).status !== 0) {
    return { inWords: 'every process wherever the system put it', server: () => undefined, other: () => undefined };
  }
  const pin = (list: string) => (pid: number) => {
    for (const each of processTree(pid)) spawnSync('taskset', ['-apc', list, String(each)]);
  };
  return {
    inWords: 'the measured server alone on one processor; load, provider and Redis on the others',
    server: pin(String(last)),
    other: pin(last === 1 ? '0' : `0-${last - 1}`),
  };
}

/** Of all processors: everything but idle and waiting for disks. */
function busyMicros(): number | undefined {
  const ticks = /^cpu +(.*)$/m.exec(readText('/proc/stat'))?.[1]?.split(' ').map(Number);
  if (ticks === undefined) return undefined;
  const [user = 0, nice = 0, system = 0, , , hard = 0, soft = 0] = ticks;
  return (user + nice + system + hard + soft) * 10_000;
}

function schedulerMicros(pid: number): number | undefined {
  const threads = listFolder(`/proc/${pid}/task`).map((thread) => readText(`/proc/${pid}/task/${thread}/schedstat`));
  if (threads.length === 0 || threads.includes('')) return undefined;
  return threads.reduce((sum, line) => sum + Number(line.split(' ')[0]) / 1000, 0);
}

function tickMicros(pid: number): number {
  const [userTicks, systemTicks] = statOf(pid).slice(11, 13).map(Number);
  return ((userTicks ?? 0) + (systemTicks ?? 0)) * 10_000;
}

/** From the third field on: the second is a name that may hold anything. */
function statOf(pid: number): string[] {
  const stat = readText(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Empty where it cannot be read, as of a process that has ended. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

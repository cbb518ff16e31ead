/** Ends a program that outlived the Vello that started it. That it is ours must have been established before. */
import { identify, stillRuns } from './process-identity.ts';

const POLL_MS = 15;
const GRACE_MS = 10_000;

/** Asks with `signal`, kills after `graceMs`, and resolves once the process is gone. */
export async function endOrphan(pid: number, signal: 'SIGINT' | 'SIGTERM', graceMs = GRACE_MS): Promise<void> {
  const identity = identify(pid);
  if (identity === undefined) return;
  const startedAt = performance.now();
  send(pid, signal);
  while (stillRuns(identity)) {
    if (performance.now() - startedAt > graceMs) send(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** It may end between the look and the signal. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

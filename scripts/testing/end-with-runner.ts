/**
 * Loaded into each test file's process before the file itself: ends it, and all that it started, soon after its runner is gone, which may
 * have had no time to do so. It looks for its parent now and then rather than listen to it: that would keep the process alive.
 */
import { isMainThread } from 'node:worker_threads';

const LOOK_MS = 500;

const runner = Number(new URL(import.meta.url).searchParams.get('runner'));
// What the file forks loads this too.
if (isMainThread && process.ppid === runner) {
  setInterval(() => {
    if (process.ppid !== runner) process.kill(-process.pid, 'SIGKILL');
  }, LOOK_MS).unref();
}

/** Runs a command of the set-up. Plain JavaScript: it runs before the first build. */
import { spawn } from 'node:child_process';

const GRACE_MS = 500;

/**
 * Resolves when it ends well. Rejects with the lines it wrote when it fails, and ends it when `signal` fires.
 * @param {readonly string[]} line command and arguments
 * @param {string} cwd
 * @param {AbortSignal} signal
 */
export function runToEnd([command, ...args], cwd, signal) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const listen = (bytes) => {
      said = (said + bytes.toString()).slice(0, 100_000);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    let killer;
    const end = () => {
      child.kill('SIGTERM');
      // npm takes the first signal as a wish to be met after the next answer of the network.
      killer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    };
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    child.on('error', reject);
    child.on('close', (code) => {
      signal.removeEventListener('abort', end);
      clearTimeout(killer);
      if (code === 0) resolve();
      else reject(new Error(shorten(said.trim().split('\n')).join('\n') || `${command} ended with code ${code}`));
    });
  });
}

/** Tools state the cause first and the consequence last. */
const shorten = (lines) => (lines.length <= 60 ? lines : [...lines.slice(0, 30), '  …', ...lines.slice(-30)]);

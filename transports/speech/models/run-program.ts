/** Runs one helper program to its end without a terminal, and says in words why it failed. */
import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  readonly signal?: AbortSignal;
}

const KEPT_ERROR_BYTES = 4096;

/**
 * Resolves when the program ends with code 0.
 * @throws Error with the last lines of the program's own complaint, or saying that there is no such program.
 */
export function runProgram(command: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-KEPT_ERROR_BYTES);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'ENOENT' ? new Error(`the program "${command}" is not installed`, { cause: error }) : error,
      );
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else {
        const lines = complaint.trim().split('\n').slice(0, 4).join(' ');
        reject(
          new Error(
            `${command} ended with ${signal ?? `code ${code ?? 'unknown'}`}${lines === '' ? '' : `: ${lines}`}`,
          ),
        );
      }
    });
  });
}

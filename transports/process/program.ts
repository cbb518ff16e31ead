/**
 * Runs one long-lived program that Vello starts for itself: in its own session, so that Ctrl-C reaches Vello alone, with its output in a
 * log file, and bound to our life where the system can do that. What the program is, and when it is ready, is its caller's knowledge.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Program } from '../../actors/programs/program-actor.ts';
import type { LaunchAs } from './launch-as.ts';

interface ProgramOptions {
  /** As people know it: `PostgreSQL`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly launchAs: LaunchAs;
  /** Standard output and error go here; the previous run's file is kept beside it as `<file>.1`. */
  readonly logFile: string;
  /** The signal that asks for an orderly end. Also sent by the kernel when Vello dies without a chance to ask. */
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
}

/** Starts the program. @throws Error naming the program and the reason when it cannot be executed. */
export async function startProgram(program: ProgramOptions): Promise<Program> {
  const output = openOutput(program.logFile);
  const { command, args } = program.launchAs.commandLine(program.command, program.args, program.stopSignal);
  let child: ChildProcess;
  try {
    child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', output, output],
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', ...program.environment },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
  } catch (error) {
    throw new Error(`${program.name} cannot be started from ${program.command}: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    closeSync(output);
  }
  return programOf(child, program);
}

/** A descriptor for standard output and error; the previous run's file is kept beside it. */
export function openOutput(logFile: string): number {
  mkdirSync(dirname(logFile), { recursive: true });
  if (existsSync(logFile)) renameSync(logFile, `${logFile}.1`);
  return openSync(logFile, 'w', 0o600);
}

/** What was spawned, as a program. */
export function programOf(child: ChildProcess, program: Pick<ProgramOptions, 'logFile' | 'stopSignal'>): Program {
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code ?? 0}` : `signal ${signal}`));
  });
  // `spawn` has been emitted, so there is an id.
  const pid = child.pid ?? 0;
  return {
    pid,
    ended,
    isRunning,
    signal: (name) => void child.kill(name),
    lastWords: () => lastLines(program.logFile, 8),
    async stop(graceMs) {
      if (!isRunning()) return;
      child.kill(program.stopSignal);
      const killer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(killer);
    },
  };
}

function lastLines(file: string, count: number): string {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(-count).join('\n');
  } catch {
    return '';
  }
}

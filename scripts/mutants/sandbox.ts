/** A copy of the built project, in which a fault can be planted and tests can be run without anybody else noticing. */
import { fork, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RunReply, RunRequest } from './test-process.ts';
import { RECORDER_SOURCE } from './transpile.ts';

interface SandboxRun {
  /** A test source: `test/actors/…`. */
  readonly test: string;
  readonly limitMs: number;
  readonly reachedFile?: string;
}

interface RunOutcome {
  readonly verdict: 'passed' | 'failed' | 'timeout';
  readonly durationMs: number;
}

export interface Sandbox {
  /** URL of the module that tells what was reached. */
  readonly recorder: string;
  /** Replaces the built form of a source. */
  write(path: string, javascript: string): void;
  /** Runs one test file, one at a time. It and what it started are ended where it takes too long, or leaves something behind. */
  run(run: SandboxRun): Promise<RunOutcome>;
  /** Ends its processes; a run under way fails. */
  end(): void;
}

/** Modules stay in memory for each run that loaded them. */
const RUNS_PER_PROCESS = 150;

/** Below `folder`, which the caller removes. Everything but build/ is the project's own, by links. */
export function createSandbox(root: string, folder: string, environment: Readonly<Record<string, string>>): Sandbox {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(root)) {
    if (name !== 'build' && name !== '.git') symlinkSync(join(root, name), join(folder, name));
  }
  cpSync(join(root, 'build'), join(folder, 'build'), {
    recursive: true,
    filter: (path) => !/\.(?:map|tsbuildinfo|drafts)$|cache$/.test(path),
  });
  const recorder = join(folder, 'reached.mjs');
  writeFileSync(recorder, RECORDER_SOURCE);

  let child: ChildProcess | undefined;
  let runs = 0;
  const start = () =>
    fork(join(folder, built('scripts/mutants/test-process.ts')), {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      detached: true,
    });
  const end = () => {
    try {
      // The group: what the tests started as well.
      if (child?.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Ended by itself, and nothing was left of it.
    }
    child = undefined;
  };

  return {
    recorder: pathToFileURL(recorder).href,
    write: (path, javascript) => writeFileSync(join(folder, built(path)), javascript),
    end,
    run: ({ test, limitMs, reachedFile }) =>
      new Promise((resolve) => {
        const startedAt = performance.now();
        const runner = (child ??= start());
        runs += 1;
        const settle = (verdict: RunOutcome['verdict'], isReusable: boolean) => {
          clearTimeout(timer);
          runner.removeAllListeners();
          if (!isReusable) end();
          resolve({ verdict, durationMs: performance.now() - startedAt });
        };
        const timer = setTimeout(() => settle('timeout', false), limitMs);
        runner.on('message', (reply: Partial<RunReply>) => {
          // tap has messages of its own.
          if (reply.hasPassed === undefined) return;
          settle(reply.hasPassed ? 'passed' : 'failed', reply.isClean === true && runs % RUNS_PER_PROCESS !== 0);
        });
        runner.once('error', () => settle('failed', false));
        runner.once('exit', () => settle('failed', false));
        const request: RunRequest = { run: runs, file: built(test), reachedFile };
        runner.send(request);
      }),
  };
}

const built = (path: string) => join('build', path.replace(/\.ts$/, '.js'));

/** Runs built test files, each in a process of its own, and reads what they report. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { UsageError } from '../command.ts';
import { createTapReader, type TestPoint } from './tap-report.ts';

interface TestRun {
  readonly root: string;
  /** Built files, relative to `root`. */
  readonly files: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Files that run at once. */
  readonly jobs: number;
  /** How long a file may take, unless it says by `t.setTimeout` that it needs longer. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
  readonly onFile: (file: TestPoint) => void;
}

/** Where tests run long, waiting for what they started. They begin first, so that none is left to run alone at the end. */
const SLOW_FOLDERS = ['test/system/', 'test/fuzz/', 'test/transports/'];
const isSlow = (file: string) => SLOW_FOLDERS.some((folder) => file.startsWith(folder));

/**
 * Built test files, all of them or those below the named sources, in the order in which they should run.
 * @throws UsageError for a name that is no test.
 */
export function findTestFiles(root: string, names: readonly string[]): string[] {
  const all = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join('test', file))
    .sort((a, b) => Number(isSlow(b)) - Number(isSlow(a)) || (a < b ? -1 : 1));
  const chosen = names.length === 0 ? all : names.flatMap((name) => filesBelow(root, name, all));
  return [...new Set(chosen)].map((file) => join('build', file.replace(/\.ts$/, '.js')));
}

function filesBelow(root: string, name: string, all: readonly string[]): string[] {
  const path = relative(root, resolve(root, name))
    .replace(/^build\//, '')
    .replace(/\.js$/, '.ts');
  if (!existsSync(join(root, path))) throw new UsageError(`There is no ${path}`);
  const found = statSync(join(root, path)).isDirectory() ? all.filter((file) => file.startsWith(`${path}/`)) : [path];
  if (found.length === 0 || !found.every((file) => all.includes(file))) throw new UsageError(`${path} holds no tests`);
  return found;
}

/** Resolves when all have run, or `signal` ended them. What tests write to standard error passes through. */
export async function runTestFiles(run: TestRun): Promise<void> {
  const waiting = run.files.values();
  const runOneByOne = async () => {
    for (const file of waiting) {
      if (run.signal.aborted) return;
      run.onFile(await runTestFile(run, file));
    }
  };
  await Promise.all(Array.from({ length: run.jobs }, runOneByOne));
}

const endWithRunner = new URL(`./end-with-runner.js?runner=${process.pid}`, import.meta.url).href;

const OUTPUT_GRACE_MS = 2_000;

async function runTestFile({ root, environment, limitMs, signal }: TestRun, file: string): Promise<TestPoint> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--enable-source-maps', `--import=${endWithRunner}`, file], {
    cwd: root,
    env: { ...process.env, ...environment, TAP_TIMEOUT: String(limitMs / 1000) },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    detached: true,
  });
  /** With all that it started. */
  const killGroup = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nothing of it is left.
    }
  };
  let ending = '';
  const kill = (why: string) => {
    ending ||= why;
    killGroup();
  };
  // A file ends itself when its time is over, and says where it stood. One that never yields cannot.
  const limit = (ms: number) =>
    ms > 0 ? setTimeout(() => kill(`gave no answer for ${ms / 1000} s`), ms * 1.1) : undefined;
  let timer = limit(limitMs);
  child.on('message', (message: Partial<Record<'setTimeout', number>> | null) => {
    const newLimitMs = message?.setTimeout;
    if (typeof newLimitMs !== 'number') return;
    clearTimeout(timer);
    timer = limit(newLimitMs);
  });
  const interrupt = () => kill('interrupted');
  signal.addEventListener('abort', interrupt);

  const reader = createTapReader();
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => reader.line(line));
  const exit = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', () => {
      killGroup();
      // A program in a group of its own may hold the other end: the file's own words are there by then.
      setTimeout(() => child.stdout?.destroy(), OUTPUT_GRACE_MS).unref();
    });
    child.once('close', (code, by) => resolve(code === 0 ? '' : `ended by ${by ?? `exit code ${code ?? ''}`}`));
  });
  clearTimeout(timer);
  signal.removeEventListener('abort', interrupt);
  return reader.end(file, performance.now() - startedAt, ending || exit);
}

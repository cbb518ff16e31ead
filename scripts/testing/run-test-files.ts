/** Runs built test files under tap and reads what it reports. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { UsageError } from '../command.ts';
import { createTapReader, type TestPoint } from './tap-report.ts';

export interface TestRun {
  readonly root: string;
  /** Built files, relative to `root`. */
  readonly files: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Files that run at once. */
  readonly jobs: number;
  readonly signal: AbortSignal;
  readonly onFile: (file: TestPoint) => void;
}

/** Built test files, all of them or those below the named sources. @throws UsageError for a name that is no test. */
export function findTestFiles(root: string, names: readonly string[]): string[] {
  const all = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join('test', file))
    .sort();
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
  if (run.files.length === 0) return;
  const tap = join(run.root, 'node_modules', '.bin', 'tap');
  const child = spawn(process.execPath, [tap, 'run', '--reporter=tap', `--jobs=${run.jobs}`, ...run.files], {
    cwd: run.root,
    env: { ...process.env, ...run.environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  const stop = () => {
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 3_000).unref();
  };
  run.signal.addEventListener('abort', stop);
  const reader = createTapReader(run.onFile);
  createInterface({ input: child.stdout }).on('line', (line) => reader.line(line));
  await ended;
  run.signal.removeEventListener('abort', stop);
}

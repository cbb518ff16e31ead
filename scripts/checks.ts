/** What is checked beside the tests: style and format. Types are checked by the build, without which nothing here runs. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Progress } from './progress.mjs';

export interface CheckFailure {
  readonly name: string;
  readonly said: string;
}

const CHECKS = [
  { name: 'Style (eslint)', args: ['eslint/bin/eslint.js', '--cache', '--cache-location', 'build/.eslintcache', '.'] },
  {
    name: 'Format (prettier)',
    args: [
      'prettier/bin/prettier.cjs',
      '--check',
      '--log-level=warn',
      '--cache',
      '--cache-location=build/.prettiercache',
      '.',
    ],
  },
];

export const CHECK_COUNT = CHECKS.length;

/** Runs every check. Resolves to those that failed, with what they said. */
export async function runChecks(root: string, progress: Progress, signal: AbortSignal): Promise<CheckFailure[]> {
  const failures: CheckFailure[] = [];
  for (const { name, args } of CHECKS) {
    const [program = '', ...flags] = args;
    await progress
      .step(name, async () => {
        const script = join(root, 'node_modules', program);
        await promisify(execFile)(process.execPath, [script, ...flags], { cwd: root, maxBuffer: 2 ** 26, signal });
      })
      .catch((error: unknown) => {
        const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
        failures.push({ name, said: `${stdout}${stderr}`.trim() || String(error) });
      });
  }
  return failures;
}

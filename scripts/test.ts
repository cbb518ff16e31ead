/** `vello test`: checks, what the tests share, the tests, and a verdict in the last line. */
import { availableParallelism } from 'node:os';
import { CHECK_COUNT, runChecks } from './checks.ts';
import type { Command, Invocation } from './command.ts';
import { interruptible } from './interruptible.ts';
import { createProgress, type Progress } from './progress.mjs';
import { projectRoot } from './project-root.ts';
import { findTestFiles, runTestFiles } from './testing/run-test-files.ts';
import { shareServers, type SharedServers } from './testing/share-servers.ts';
import { listFailures, listSkipped, tally, type TestPoint } from './testing/tap-report.ts';
import { createTestImports } from './testing/test-imports.ts';

export const command: Command = {
  usage: 'test [file or folder ...]',
  doc:
    'Checks types, style and format, then runs the tests below test/; or runs only those named (test/actors/kernel), without the checks.\n' +
    'Where one needs servers they get a PostgreSQL and a Redis of their own, which end with them. The last line is the verdict.',
  flags: { 'no-checks': { type: 'boolean', doc: 'Run the tests only.' } },
  operands: 100,
  run: (invocation) =>
    interruptible(
      (signal) => test(invocation, createProgress(process.stderr), signal),
      ['SIGINT', 'SIGTERM', 'SIGHUP'],
    ),
};

const NO_SERVERS: SharedServers = { environment: {}, stop: async () => undefined };

async function test(invocation: Invocation, progress: Progress, signal: AbortSignal): Promise<number> {
  const chosen = findTestFiles(projectRoot, invocation.operands);
  // Whoever names tests waits for them; everything is checked where everything is run.
  const withChecks = !invocation.has('no-checks') && invocation.operands.length === 0;

  const imports = createTestImports(projectRoot);
  let shared = NO_SERVERS;
  try {
    if (chosen.some((file) => imports.needsServers(sourceOf(file)))) shared = await shareServers(progress, signal);
  } catch (error) {
    signal.throwIfAborted();
    const said = error instanceof Error ? error.message : String(error);
    console.log(`\n✗ What the tests share did not start: ${said}\n\n0 passed, 1 failed`);
    return 1;
  }
  // Beside the tests: those wait for much, and leave a processor to it.
  const checking = withChecks ? runChecks(projectRoot, progress, signal) : [];
  const files: TestPoint[] = [];
  try {
    await runTestFiles({
      root: projectRoot,
      files: chosen,
      environment: shared.environment,
      limitMs: 240_000,
      // Many wait for servers and for time; more than this would wait for each other.
      jobs: Math.min(6, availableParallelism() + 1),
      signal,
      onFile: (file) => {
        files.push(file);
        progress.say(describeFile(file, files.length, chosen.length));
      },
    });
    signal.throwIfAborted();
  } finally {
    await shared.stop();
  }
  const broken = await checking;
  signal.throwIfAborted();

  for (const { name, said } of broken) console.log(`\n✗ ${name}\n${said}`);
  for (const { path, point } of listFailures(files)) {
    console.log(`\n✗ ${path.map(shorten).join('\n    › ')}\n${shorten(point.diagnostic)}`);
  }
  for (const { path, reason } of listSkipped(files))
    console.log(`- skipped: ${path.map(shorten).join(' › ')}: ${reason}`);

  const { passed, failed, skipped } = tally(files);
  // A file of which nothing was heard did not pass.
  const lost = chosen.length - files.length;
  const allFailed = failed + broken.length + lost;
  if (lost > 0) console.log(`\n✗ ${lost} test files gave no result; the output of the tests is above.`);
  if (chosen.length === 0) console.log('\n✗ There is no test there.');
  const allPassed = passed + (withChecks ? CHECK_COUNT - broken.length : 0);
  console.log(`\n${allPassed} passed, ${allFailed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return allFailed === 0 && passed > 0 ? 0 : 1;
}

function describeFile(file: TestPoint, done: number, all: number): string {
  const { passed, failed } = tally([file]);
  const verdict = failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} failed`;
  const time = `${(file.durationMs / 1000).toFixed(1)} s`;
  return `  ${failed === 0 ? '✓' : '✗'} ${`[${done}/${all}] ${shorten(file.title)}: ${verdict}`.padEnd(90)} ${time.padStart(7)}`;
}

/** Of a built test. */
const sourceOf = (file: string) => file.replace(/^build\//, '').replace(/\.js$/, '.ts');

/** Tests run from build/; people open the sources. */
const shorten = (text: string) =>
  text
    .replaceAll(`${projectRoot}/`, '')
    .replaceAll(/\bbuild\/((?:test|actors|transports|supervisors|scripts|config)\/\S+)\.js\b/g, '$1.ts');

/** `vello test`: checks, what the tests share, the tests, and a verdict in the last line. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../transports/process/free-port.ts';
import { postgresUrl, startPostgres } from '../transports/process/postgres-cluster.ts';
import { identify } from '../transports/process/process-identity.ts';
import { serverSearchPath } from '../transports/process/redis-binary.ts';
import { checkCount, runChecks } from './checks.ts';
import type { Command, Invocation } from './command.ts';
import { createProgress, type Progress } from './progress.mjs';
import { projectRoot } from './project-root.ts';
import { obtainModel } from './services/obtain-model.ts';
import { obtainRedis } from './services/obtain-redis.ts';
import { findTestFiles, runTestFiles } from './testing/run-test-files.ts';
import { listFailures, listSkipped, tally, type TestPoint } from './testing/tap-report.ts';

export const command: Command = {
  usage: 'test [file or folder ...]',
  doc:
    'Checks types, style and format, then runs the tests below test/; or runs only those named (test/actors/kernel), without the checks.\n' +
    'They get a PostgreSQL and a Redis of their own, which end with them. The last line is the verdict.',
  flags: { 'no-checks': { type: 'boolean', doc: 'Run the tests only.' } },
  operands: 100,
  async run(invocation) {
    const interruption = new AbortController();
    const interrupt = () => interruption.abort();
    process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
    try {
      return await test(invocation, createProgress(process.stderr), interruption.signal);
    } catch (error) {
      if (!interruption.signal.aborted) throw error;
      console.error('\nStopped.');
      return 130;
    } finally {
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    }
  },
};

async function test(invocation: Invocation, progress: Progress, signal: AbortSignal): Promise<number> {
  const chosen = findTestFiles(projectRoot, invocation.operands);
  // Whoever names tests waits for them; everything is checked where everything is run.
  const withChecks = !invocation.has('no-checks') && invocation.operands.length === 0;
  const broken = withChecks ? await runChecks(projectRoot, progress, signal) : [];
  signal.throwIfAborted();

  const shared = await shareServices(progress, signal);
  const files: TestPoint[] = [];
  try {
    await runTestFiles({
      root: projectRoot,
      files: chosen,
      environment: shared.environment,
      jobs: Math.min(3, Math.max(2, availableParallelism() - 1)),
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
  const allPassed = passed + (withChecks ? checkCount - broken.length : 0);
  console.log(`\n${allPassed} passed, ${allFailed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return allFailed === 0 && passed > 0 ? 0 : 1;
}

interface SharedServices {
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** One PostgreSQL for all files, each of which makes a database in it; Redis is started by each file that needs one. */
async function shareServices(progress: Progress, signal: AbortSignal): Promise<SharedServices> {
  const cache = process.env['VELLO_CACHE'] ?? join(projectRoot, '.vello', 'cache');
  const redis = await progress.step('Redis found', (report) =>
    obtainRedis({ cache, searchPath: serverSearchPath(process.env['PATH']), signal, report }),
  );
  await progress.step('Speech model', (report) => obtainModel({ cache, signal, report }));
  sweepLeftovers();
  const folder = mkdtempSync(join(tmpdir(), `vello-test-${process.pid}-`));
  const options = {
    folder: join(folder, 'postgres'),
    logFile: join(folder, 'postgres.log'),
    port: await findFreePort(),
    password: 'test',
    settings: {
      // Nothing in it outlives the run.
      ...{ fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
      ...{ max_connections: '400', shared_buffers: '128MB' },
    },
  };
  try {
    const postgres = await progress.step('PostgreSQL for the tests', () => startPostgres(options));
    return {
      environment: {
        VELLO_TEST_DATABASE_URL: postgresUrl(options, 'postgres'),
        VELLO_TEST_REDIS_SERVER: redis.path,
        VELLO_CACHE: cache,
      },
      async stop() {
        await postgres.stop(5_000);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Folders of test processes that were killed before they could clean up; the name holds the process id. */
function sweepLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(/^vello-test-(\d+)-/.exec(name)?.[1]);
    if (!Number.isInteger(pid) || identify(pid) !== undefined) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
}

function describeFile(file: TestPoint, done: number, all: number): string {
  const { passed, failed } = tally([file]);
  const verdict = failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} failed`;
  const time = `${(file.durationMs / 1000).toFixed(1)} s`;
  return `  ${failed === 0 ? '✓' : '✗'} ${`[${done}/${all}] ${shorten(file.title)}: ${verdict}`.padEnd(90)} ${time.padStart(7)}`;
}

/** Tests run from build/; people open the sources. */
const shorten = (text: string) =>
  text
    .replaceAll(`${projectRoot}/`, '')
    .replaceAll(/\bbuild\/((?:test|actors|transports|supervisors|scripts|config)\/\S+)\.js\b/g, '$1.ts');

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runTestFiles } from '../../../scripts/testing/run-test-files.ts';
import { listFailures, tally, type TestPoint } from '../../../scripts/testing/tap-report.ts';
import { identify } from '../../../transports/process/process-identity.ts';
import { temporaryFolder, type Teardown } from '../../fixtures/temporary-folder.ts';

const never = new AbortController().signal;

/** Runs files of these texts and resolves to their results, by name. */
async function run(t: Teardown, texts: Readonly<Record<string, string>>, limitMs = 60_000) {
  const root = temporaryFolder(t);
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(root, `${name}.mjs`), text);
  const files = Object.keys(texts).map((name) => `${name}.mjs`);
  const results = new Map<string, TestPoint>();
  const onFile = (file: TestPoint) => results.set(file.title.replace('.mjs', ''), file);
  await runTestFiles({ root, files, environment: { SHARED: 'x' }, jobs: 2, limitMs, signal: never, onFile });
  return results;
}

const causeOf = (file: TestPoint | undefined) =>
  listFailures(file === undefined ? [] : [file]).map(({ point }) => point.diagnostic);

t.test('a file passes that held all of its tests and ended well, in the environment that is shared', async (t) => {
  const results = await run(t, {
    fine: 'console.log(process.env.SHARED === "x" ? "ok 1 - a\\n1..1" : "not ok 1 - a\\n1..1")',
  });
  t.strictSame(tally([...results.values()]), { passed: 1, failed: 0, skipped: 0 });
});

t.test('a file that dies, ends too soon or holds no test has failed, and the others still run', async (t) => {
  const results = await run(t, {
    dies: 'console.log("ok 1 - a\\n1..1"); process.kill(process.pid, "SIGKILL")',
    throws: 'console.log("ok 1 - a\\n1..1"); process.exitCode = 3',
    leaves: 'console.log("ok 1 - a"); process.exit(0)',
    leavesMore: 'console.log("1..2\\nok 1 - a"); process.exit(0)',
    isEmpty: '',
    planless: 'console.log("1..0")',
    fine: 'console.log("ok 1 - a\\n1..1")',
  });
  const failed = [...results].filter(([, file]) => tally([file]).failed > 0).map(([name]) => name);
  t.strictSame(failed.sort(), ['dies', 'isEmpty', 'leaves', 'leavesMore', 'planless', 'throws']);
  t.strictSame(causeOf(results.get('dies')), ['ended by SIGKILL']);
  t.strictSame(causeOf(results.get('throws')), ['ended by exit code 3']);
  t.strictSame(causeOf(results.get('leavesMore')), ['ended before all of its tests']);
  t.equal(results.size, 7);
});

t.test('a file that hangs is ended when its time is over, which it may lengthen', async (t) => {
  const more = 'setTimeout(() => { console.log("ok 1 - a\\n1..1"); process.disconnect(); }, 3500)';
  const hangs = 'console.log("ok 1 - a\\n1..1"); setInterval(() => {}, 1000)';
  const results = await run(t, { hangs, longer: `process.send({ setTimeout: 60_000 }); ${more}` }, 3000);
  t.strictSame(causeOf(results.get('hangs')), ['gave no answer for 3 s']);
  t.equal(tally([results.get('longer')!]).failed, 0);
});

t.test('a program that left the group of its file and holds its output holds up nobody', async (t) => {
  const leave = 'spawn("sleep", ["12"], { detached: true, stdio: "inherit" }).unref()';
  const results = await run(t, {
    leaves: `import { spawn } from "node:child_process"; ${leave}; console.log("ok 1 - a\\n1..1"); process.send(null);`,
  });
  const file = results.get('leaves')!;
  t.equal(tally([file]).failed, 0);
  t.ok(file.durationMs < 10_000, `${file.durationMs} ms`);
});

t.test('what a file leaves running is ended with it', async (t) => {
  const root = temporaryFolder(t);
  const pidFile = join(root, 'pid');
  const start = `import { spawn } from 'node:child_process'; import { readFileSync, writeFileSync } from 'node:fs';
    const left = spawn('sleep', ['60'], { stdio: 'inherit' });
    writeFileSync('${pidFile}', String(left.pid)); console.log('ok 1 - a\\n1..1'); process.exit(0)`;
  await run(t, { start });
  t.equal(identify(Number(readFileSync(pidFile, 'utf8'))), undefined);
});

t.test('a file and what it started end soon after a runner that was killed', async (t) => {
  const root = temporaryFolder(t);
  const pidsFile = join(root, 'pids');
  const built = (path: string) => new URL(`../../../${path}`, import.meta.url).href;
  writeFileSync(
    join(root, 'hangs.mjs'),
    `import { spawn } from 'node:child_process'; import { renameSync, writeFileSync } from 'node:fs';
    writeFileSync('${pidsFile}.new', process.pid + ' ' + spawn('sleep', ['60']).pid);
    renameSync('${pidsFile}.new', '${pidsFile}'); setInterval(() => {}, 1000)`,
  );
  writeFileSync(
    join(root, 'runner.mjs'),
    `import { runTestFiles } from '${built('scripts/testing/run-test-files.js')}';
    const options = { environment: {}, jobs: 1, limitMs: 60_000, signal: new AbortController().signal };
    await runTestFiles({ root: '${root}', files: ['hangs.mjs'], ...options, onFile: () => {} })`,
  );
  const runner = spawn(process.execPath, [join(root, 'runner.mjs')], { stdio: 'inherit' });
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await until(() => existsSync(pidsFile));
  const pids = readFileSync(pidsFile, 'utf8').split(' ').map(Number);
  runner.kill('SIGKILL');
  await once(runner, 'exit');
  await until(() => pids.every((pid) => identify(pid) === undefined));
  t.equal(pids.length, 2);
});

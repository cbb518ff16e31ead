import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { setApart } from '../../../scripts/mutants/equivalents.ts';
import { findMutants, type Mutant } from '../../../scripts/mutants/find-mutants.ts';
import { hunt } from '../../../scripts/mutants/hunt.ts';
import { describeResults, type Fate } from '../../../scripts/mutants/report.ts';
import { drawSample } from '../../../scripts/mutants/sample.ts';
import { selectTests } from '../../../scripts/mutants/select-tests.ts';
import { createTypeCheck } from '../../../scripts/mutants/type-check.ts';
import { projectFolder } from '../../fixtures/source-files.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

const fare = 'test/fixtures/mutants/fare.ts';
const mutantsOf = (path: string) => findMutants(path, readFileSync(join(projectFolder, path), 'utf8'));

async function fatesOf(t: Parameters<typeof temporaryFolder>[0], mutants: readonly Mutant[], tests: readonly string[]) {
  const fates: Record<string, Fate> = {};
  const broken: string[] = [];
  await hunt({
    root: projectFolder,
    folder: temporaryFolder(t),
    mutants,
    tests,
    environment: {},
    jobs: 2,
    signal: new AbortController().signal,
    onBroken: (test) => broken.push(test),
    onFate: ({ line, before, after }, fate) => (fates[`${line}: ${before} → ${after}`] = fate),
  });
  return { fates, broken };
}

t.test('a fault lives where the tests leave a gap, and nowhere else', async (t) => {
  const mutants = mutantsOf(fare).filter(({ line }) => line < 11 || line > 15);
  const { fates, broken } = await fatesOf(t, mutants, ['test/fixtures/mutants/fare-checks.ts']);
  t.strictSame(broken, []);
  t.strictSame(
    Object.entries(fates).sort(),
    [
      ['9: 0 → 1', 'unreached'],
      ['9: fare === 0 → false', 'unreached'],
      ['9: fare === 0 → true', 'unreached'],
      ['4: 0 → 1', 'killed'],
      ['4: 6 → 7', 'killed'],
      ['4: age < 6 → (age <= 6)', 'killed'],
      ['4: age < 6 → false', 'killed'],
      ['4: age < 6 → true', 'killed'],
      ['5: 3 → 4', 'killed'],
      ['5: 5 → 6', 'killed'],
      ['5: 65 → 66', 'survived'],
      ['5: age >= 65 → (age > 65)', 'survived'],
      ['5: age >= 65 → false', 'killed'],
      ['5: age >= 65 → true', 'killed'],
      ['16: left → undefined', 'killed'],
    ].sort(),
  );
});

t.test('a fault that makes the tests hang is noticed', async (t) => {
  const mutants = mutantsOf(fare).filter(({ after }) => after === '(left += 1)');
  const { fates } = await fatesOf(t, mutants, ['test/fixtures/mutants/fare-checks.ts']);
  t.strictSame(Object.values(fates), ['timeout']);
});

t.test('a real source keeps its mutants dead', async (t) => {
  const path = 'supervisors/exit-codes.ts';
  const tests = ['test/supervisors/exit-codes.test.ts'];
  const { fates } = await fatesOf(t, mutantsOf(path), tests);
  const all = Object.values(fates);
  t.ok(all.length >= 5, `${all.length} mutants`);
  t.strictSame(
    Object.entries(fates).filter(([, fate]) => fate !== 'killed'),
    [],
  );
});

t.test('what the compiler refuses is no mutant; an unused name is no refusal', async (t) => {
  const isRefused = createTypeCheck(projectFolder);
  const text = readFileSync(join(projectFolder, fare), 'utf8');
  t.equal(isRefused(fare, text), false);
  t.equal(isRefused(fare, text.replace('return left', 'return undefined')), true);
  t.equal(isRefused(fare, text.replace('return left', 'return 0; const unused = 1')), false);
});

t.test('the tests of a layer that import a source judge it; the others only when asked for', async (t) => {
  const tests = [
    'test/supervisors/budget.test.ts',
    'test/actors/identity/new-id.test.ts',
    'test/system/sign-in.test.ts',
  ];
  const path = ['supervisors/restart-budget.ts'];
  t.strictSame(selectTests(projectFolder, tests, path, false), { tests: tests.slice(0, 1), left: 1 });
  t.strictSame(selectTests(projectFolder, tests, path, true), { tests: [tests[0], tests[2]], left: 0 });
});

t.test('equivalents are found by their text, and missed when it is gone', async (t) => {
  const mutants = mutantsOf(fare);
  const listed = {
    path: fare,
    line: 'if (age < 6) return 0;',
    before: 'age < 6',
    after: 'true',
    reason: 'for the test',
  };
  const gone = { ...listed, line: 'if (age < 7) return 0;' };
  const elsewhere = { ...listed, path: 'actors/elsewhere.ts' };
  const { faults, alike, stale } = setApart(mutants, [listed, gone, elsewhere]);
  t.match(alike, [{ line: 4, after: 'true' }]);
  t.equal(faults.length, mutants.length - 1);
  t.strictSame(stale, [gone]);
});

t.test('counts those that could have been noticed, and rounds down', async (t) => {
  const [mutant] = mutantsOf(fare);
  const fates: Fate[] = ['killed', 'timeout', 'survived', 'refused', 'equivalent'];
  const { text, percent } = describeResults(
    fates.map((fate) => ({ mutant: mutant!, fate })),
    [],
  );
  t.equal(percent, 66.6);
  t.match(text, `${fare}:4  age < 6 → (age <= 6)\n`);
  t.equal(describeResults([], []).percent, 100);
});

t.test('the same seed draws the same sample, in order', async (t) => {
  const items = Array.from({ length: 100 }, (_, index) => index);
  const drawn = drawSample(items, 10, 7);
  t.strictSame(drawSample(items, 10, 7), drawn);
  t.strictNotSame(drawSample(items, 10, 8), drawn);
  t.equal(drawn.length, 10);
  t.strictSame(
    [...drawn].sort((a, b) => a - b),
    drawn,
  );
  t.strictSame(drawSample(items, 200, 7), items);
});

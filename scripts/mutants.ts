/** `vello mutants`: puts small faults into sources, one at a time, and shows those that no test notices. */
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { UsageError, type Command, type Invocation } from './command.ts';
import { interruptible } from './interruptible.ts';
import { count } from './count.ts';
import { readEquivalents, setApart } from './mutants/equivalents.ts';
import { applyMutant, findMutants, type Mutant } from './mutants/find-mutants.ts';
import { hunt, removeFolder } from './mutants/hunt.ts';
import { describeResults, type Fate } from './mutants/report.ts';
import { drawSample } from './mutants/sample.ts';
import { selectTests } from './mutants/select-tests.ts';
import { createTypeCheck } from './mutants/type-check.ts';
import { createProgress } from './progress.mjs';
import { projectRoot } from './project-root.ts';
import { shareServers } from './testing/share-servers.ts';

export const command: Command = {
  usage: 'mutants <file or folder or file:line ...>',
  doc:
    'Puts small faults into the named sources, one at a time, in a copy: a condition that always holds, a bound off by one, a call left out.\n' +
    'Each is killed when a test that reaches it fails. Shows those that survive, as file:line  before → after; docs/tests.md tells more.\n' +
    'Asks the tests of the same layer that need no database; what only others reach is shown as unreached.',
  flags: {
    minimum: { type: 'string', value: 'P', doc: 'Exit code 1 where less than P percent are killed; 0 if not given.' },
    sample: { type: 'string', value: 'N', doc: 'Only N of them, drawn by the seed.' },
    seed: { type: 'string', value: 'S', doc: 'A whole number; 1 if not given.' },
    jobs: { type: 'string', value: 'N', doc: 'Tests at once; one for each processor if not given.' },
    all: {
      type: 'boolean',
      doc: 'Ask the tests of other layers and those with databases as well: slow, for few mutants.',
    },
  },
  operands: 100,
  run: (invocation) => interruptible((signal) => findSurvivors(invocation, signal)),
};

async function findSurvivors(invocation: Invocation, signal: AbortSignal): Promise<number> {
  const minimum = numberOf(invocation, 'minimum', 0);
  const sampleSize = numberOf(invocation, 'sample', Infinity);
  const seed = numberOf(invocation, 'seed', 1);
  const jobs = numberOf(invocation, 'jobs', availableParallelism());
  const withAll = invocation.has('all');
  const places = invocation.operands.map(readPlace);
  const paths = sourcesOf(places.map(({ name }) => name));
  const progress = createProgress(process.stderr);
  const startedAt = performance.now();

  const texts = new Map(paths.map((path) => [path, readFileSync(join(projectRoot, path), 'utf8')]));
  const all = [...texts].flatMap(([path, text]) => findMutants(path, text));
  const { faults, alike, stale } = setApart(all, readEquivalents(projectRoot));
  const asked = faults.filter((mutant) => isAsked(mutant, places));
  const mutants = drawSample(asked, sampleSize, seed);
  const { tests, left } = selectTests(projectRoot, listTests(), paths, withAll);
  progress.say(
    `${count(mutants.length, 'mutant')} in ${count(paths.length, 'source')}; ${count(tests.length, 'test file')} may reach them.`,
  );
  if (left > 0) progress.say(`${left} more with --all.`);

  const fates = new Map<Mutant, Fate>(alike.map((mutant) => [mutant, 'equivalent']));
  const servers = withAll ? await shareServers(progress, signal) : undefined;
  const folder = mkdtempSync(join(tmpdir(), `vello-test-${process.pid}-`));
  try {
    let done = 0;
    await hunt({
      ...{ root: projectRoot, folder, mutants, tests, jobs, signal },
      environment: servers?.environment ?? {},
      onBroken: (test) => progress.say(`  ${test} fails without any fault, and judges none.`),
      onFate(mutant, fate) {
        fates.set(mutant, fate);
        done += 1;
        if (done % 100 === 0) progress.say(`  ${done} of ${mutants.length}`);
      },
    });
  } finally {
    removeFolder(folder);
    await servers?.stop();
  }

  const isRefused = createTypeCheck(projectRoot);
  for (const [mutant, fate] of fates) {
    if (fate !== 'survived' && fate !== 'unreached') continue;
    if (isRefused(mutant.path, applyMutant(texts.get(mutant.path) ?? '', mutant))) fates.set(mutant, 'refused');
  }
  const results = all.flatMap((mutant) => {
    const fate = fates.get(mutant);
    return fate === undefined ? [] : [{ mutant, fate }];
  });
  const { text, percent } = describeResults(results, stale);
  console.log(text);
  console.log(`\n${percent} % killed in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  return percent >= minimum && stale.length === 0 ? 0 : 1;
}

interface Place {
  readonly name: string;
  /** Undefined for all lines. */
  readonly line: number | undefined;
}

function readPlace(operand: string): Place {
  const [, name = operand, line] = /^(.*):(\d+)$/.exec(operand) ?? [];
  return { name, line: line === undefined ? undefined : Number(line) };
}

const isAsked = ({ path, line }: Mutant, places: readonly Place[]): boolean => {
  const named = places.filter(({ name }) => relative(projectRoot, resolve(projectRoot, name)) === path);
  return named.length === 0 || named.some((place) => place.line === undefined || place.line === line);
};

/** Sources of the named files and folders, sorted. @throws UsageError for a name that holds none */
function sourcesOf(operands: readonly string[]): string[] {
  if (operands.length === 0) throw new UsageError('Which sources? For example: vello mutants actors/identity');
  const found = operands.flatMap((operand) => {
    const path = relative(projectRoot, resolve(projectRoot, operand));
    const entry = statSync(join(projectRoot, path), { throwIfNoEntry: false });
    if (entry === undefined) throw new UsageError(`There is no ${path}`);
    const files = entry.isDirectory() ? filesBelow(path) : [path];
    const sources = files.filter((file) => file.endsWith('.ts') && !/\.(?:d|test)\.ts$/.test(file));
    if (sources.length === 0) throw new UsageError(`${path} holds no sources`);
    return sources;
  });
  return [...new Set(found)].sort();
}

const filesBelow = (folder: string): string[] =>
  readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file));

const listTests = (): string[] =>
  filesBelow('test')
    .filter((file) => file.endsWith('.test.ts'))
    .sort();

function numberOf(invocation: Invocation, flag: string, otherwise: number): number {
  const text = invocation.text(flag);
  const value = text === undefined ? otherwise : Number(text);
  if (text !== undefined && !Number.isSafeInteger(value)) throw new UsageError(`--${flag} takes a whole number`);
  return value;
}

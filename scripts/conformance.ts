/** `vello conformance`: what a correct gateway must do, played on this one and on every peer that is installed. Exits with 1 where ours has a hole. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../transports/process/free-port.ts';
import { serverSearchPath } from '../transports/process/redis-binary.ts';
import { redisUrl, startRedis } from '../transports/process/redis-server.ts';
import { CommandError, UsageError, type Command } from './command.ts';
import { CASES } from './conformance/all-cases.ts';
import {
  COLUMN_NAMES,
  openColumn,
  OURS,
  playCase,
  type ConformanceWorld,
  type Column,
  type CaseOutcome,
} from './conformance/play.ts';
import type { ConformanceCase } from './conformance/stage.ts';
import { count } from './count.ts';
import { obtainRedis } from './foundation/obtain-redis.ts';
import { interruptible } from './interruptible.ts';
import { fetchPrograms } from './peers/fetched-programs.ts';
import { createProgress } from './progress.mjs';
import { projectRoot } from './project-root.ts';
import { textTable } from './text-table.ts';

export const command: Command = {
  usage: 'conformance [--only NAME] [--case NAME] [--fetch]',
  doc:
    'Plays what a correct gateway must do on this one, on all of its routes, and on every peer that is installed, and prints one row for\n' +
    'each case. Exits with 1 where ours falls short. Minutes for all of it: try one with --only or --case first.',
  flags: {
    only: { type: 'string', value: 'NAME', doc: `One server alone: ${COLUMN_NAMES.join(' | ')}.` },
    case: { type: 'string', value: 'NAME', doc: 'One case alone; the first column of the table.' },
    fetch: {
      type: 'boolean',
      doc: "Fetches the peers first: from npm's registry and Debian's packages, into .vello/cache.",
    },
  },
  operands: 0,
  async run(invocation) {
    const only = invocation.text('only')?.toLowerCase();
    const names = COLUMN_NAMES.filter((name) => only === undefined || name.toLowerCase() === only);
    if (names.length === 0) throw new UsageError(`--only takes one of ${COLUMN_NAMES.join(' | ')}`);
    const cases = CASES.filter(({ name }) => [undefined, name].includes(invocation.text('case')));
    if (cases.length === 0) throw new UsageError(`--case takes one of ${CASES.map(({ name }) => name).join(', ')}`);
    return interruptible((signal) => playAll(names, cases, { isFetching: invocation.has('fetch'), signal }));
  },
};

async function playAll(
  names: readonly string[],
  cases: readonly ConformanceCase[],
  { isFetching, signal }: { readonly isFetching: boolean; readonly signal: AbortSignal },
): Promise<number> {
  const cache = process.env['VELLO_CACHE'] ?? join(projectRoot, '.vello', 'cache');
  if (isFetching) await fetchPrograms(cache, signal, console.log);
  const folder = mkdtempSync(join(tmpdir(), 'vello-conformance-'));
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  try {
    const searchPath = serverSearchPath(process.env['PATH']);
    const { path: binary } = await obtainRedis({ cache, searchPath, signal, report: () => undefined });
    const server = {
      binary,
      folder,
      logFile: join(folder, 'log'),
      port: await findFreePort(),
      password: 'conformance',
    };
    const redis = await startRedis(server);
    ends.push(() => redis.stop(2_000));
    const columns = await openAll(names, { cache, redisUrl: redisUrl(server) }, ends);
    signal.throwIfAborted();
    const outcomes = await playInTurn(cases, columns, signal);
    print(cases, columns, outcomes);
    return printHoles(cases, columns, outcomes) > 0 ? 1 : 0;
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function openAll(
  names: readonly string[],
  world: ConformanceWorld,
  ends: (() => unknown)[],
): Promise<readonly Column[]> {
  const columns: Column[] = [];
  for (const name of names) {
    const opened = await openColumn(name, world);
    if ('missing' in opened && name === OURS)
      throw new CommandError(`Our own gateway does not start: ${opened.missing}`);
    if ('missing' in opened) console.log(`${name}: not installed (${opened.missing})`);
    else {
      columns.push(opened);
      ends.push(() => opened.close());
    }
  }
  return columns;
}

type Outcomes = ReadonlyMap<string, CaseOutcome>;
const cellKey = (one: ConformanceCase, { name }: Column) => `${one.name} ${name}`;

/** One server after the other, since some cases tell times; what only waits is played on all at once. */
async function playInTurn(
  cases: readonly ConformanceCase[],
  columns: readonly Column[],
  signal: AbortSignal,
): Promise<Outcomes> {
  const outcomes = new Map<string, CaseOutcome>();
  const progress = createProgress(process.stderr);
  const playOn = async (opened: Column, chosen: readonly ConformanceCase[], report: (detail: string) => void) => {
    for (const one of chosen) {
      signal.throwIfAborted();
      report(one.name);
      outcomes.set(cellKey(one, opened), await playCase(one, opened));
    }
  };
  const patient = cases.filter(({ pace }) => pace === 'patient');
  const others = cases.filter(({ pace }) => pace !== 'patient');
  for (const opened of others.length === 0 ? [] : columns) {
    await progress.step(opened.name, (report) => playOn(opened, others, report));
  }
  if (patient.length > 0) {
    await progress.step('all of them, with patience', () =>
      Promise.all(columns.map((opened) => playOn(opened, patient, () => undefined))),
    );
  }
  return outcomes;
}

function print(cases: readonly ConformanceCase[], columns: readonly Column[], outcomes: Outcomes): void {
  const rows = cases.map((one) => [
    one.name,
    ...columns.map((opened) => outcomes.get(cellKey(one, opened))?.cell ?? ''),
    one.title,
  ]);
  console.log(`\n${textTable(['', ...columns.map(({ name }) => name), ''], rows)}\n`);
  for (const { name, version, lanes } of columns) {
    console.log(`${name} ${version}, on ${count(lanes.flatMap(({ routes }) => routes).length, 'route')}`);
  }
}

/** By route: ours, or those of the one server that was asked for. Returns how many of ours there are. */
function printHoles(cases: readonly ConformanceCase[], columns: readonly Column[], outcomes: Outcomes): number {
  const shown = columns.find(({ name }) => name === OURS) ?? (columns.length === 1 ? columns[0] : undefined);
  if (shown === undefined) return 0;
  const { name } = shown;
  const holes = cases.flatMap((one) =>
    (outcomes.get(cellKey(one, shown))?.holes ?? []).map(({ route, detail }) => `  ${one.name}, ${route}: ${detail}`),
  );
  console.log(holes.length === 0 ? `\n${name} has no hole.` : `\n${name} falls short:\n${holes.join('\n')}`);
  return name === OURS ? holes.length : 0;
}

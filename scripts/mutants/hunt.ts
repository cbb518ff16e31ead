/** Plants mutants one after the other and asks the tests that reach them. Decides what a mutant's end is called; prints nothing. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { applyMutant, type Mutant } from './find-mutants.ts';
import type { Fate } from './report.ts';
import { createSandbox, type Sandbox } from './sandbox.ts';
import { instrument, placeOf, transpile } from './transpile.ts';

export interface Hunt {
  readonly root: string;
  /** Empty; removed by the caller. */
  readonly folder: string;
  readonly mutants: readonly Mutant[];
  /** Test sources. */
  readonly tests: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly jobs: number;
  readonly signal: AbortSignal;
  /** A test that fails without any fault cannot judge one. */
  readonly onBroken: (test: string) => void;
  readonly onFate: (mutant: Mutant, fate: Fate) => void;
}

interface Judge {
  readonly test: string;
  readonly durationMs: number;
  readonly places: ReadonlySet<string>;
}

/** Resolves when each mutant has its fate. Rejects with the signal's reason when it was ended before. */
export async function hunt(options: Hunt): Promise<void> {
  const { root, folder, mutants, environment, jobs, signal } = options;
  const texts = new Map([...new Set(mutants.map(({ path }) => path))].map((path) => [path, sourceOf(root, path)]));
  const slots = Array.from({ length: jobs }, (_, slot) => createSandbox(root, join(folder, String(slot)), environment));
  const endAll = () => slots.forEach((sandbox) => sandbox.end());
  signal.addEventListener('abort', endAll);
  try {
    const judges = await findJudges(options, slots, texts);
    await share(mutants, slots, signal, async (mutant, sandbox) => {
      const text = texts.get(mutant.path) ?? '';
      const able = judges.filter(({ places }) => places.has(placeOf(mutant)));
      if (able.length === 0) return options.onFate(mutant, 'unreached');
      sandbox.write(mutant.path, transpile(applyMutant(text, mutant)));
      try {
        options.onFate(mutant, await judge(sandbox, byPromise(able, mutant.path), options));
      } finally {
        sandbox.write(mutant.path, transpile(text));
      }
    });
  } finally {
    signal.removeEventListener('abort', endAll);
    endAll();
  }
}

/** Runs each test once over sources that tell what it reached. */
async function findJudges(
  options: Hunt,
  slots: readonly Sandbox[],
  texts: ReadonlyMap<string, string>,
): Promise<Judge[]> {
  const { folder, mutants, tests, signal } = options;
  for (const sandbox of slots) {
    for (const [path, text] of texts) {
      const ofPath = mutants.filter((mutant) => mutant.path === path);
      sandbox.write(path, transpile(instrument(text, ofPath, sandbox.recorder)));
    }
  }
  mkdirSync(join(folder, 'reached'));
  const judges: Judge[] = [];
  await share(tests, slots, signal, async (test, sandbox) => {
    const reachedFile = join(folder, 'reached', test.replaceAll('/', '-'));
    const outcome = await sandbox.run({ test, limitMs: 150_000, reachedFile });
    signal.throwIfAborted();
    if (outcome.verdict !== 'passed') return options.onBroken(test);
    const places = existsSync(reachedFile) ? readFileSync(reachedFile, 'utf8').split('\n') : [];
    judges.push({ test, durationMs: outcome.durationMs, places: new Set(places) });
  });
  for (const sandbox of slots) for (const [path, text] of texts) sandbox.write(path, transpile(text));
  return judges;
}

/** The test of the same path knows best; of the others, the fastest is asked first. */
function byPromise(judges: readonly Judge[], path: string): Judge[] {
  const own = join('test', path.replace(/\.ts$/, '.test.ts'));
  return judges.toSorted((a, b) => Number(b.test === own) - Number(a.test === own) || a.durationMs - b.durationMs);
}

async function judge(sandbox: Sandbox, judges: readonly Judge[], { signal }: Hunt): Promise<Fate> {
  for (const { test, durationMs } of judges) {
    // Well beyond what a busy machine adds: a mutant that hangs counts as noticed.
    const { verdict } = await sandbox.run({ test, limitMs: durationMs * 10 + 4_000 });
    signal.throwIfAborted();
    if (verdict === 'timeout') return 'timeout';
    if (verdict === 'failed') return 'killed';
  }
  return 'survived';
}

/** Each item once, in order, by whichever slot is free. */
async function share<T>(
  items: readonly T[],
  slots: readonly Sandbox[],
  signal: AbortSignal,
  work: (item: T, slot: Sandbox) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    slots.map(async (slot) => {
      for (const item of queue) {
        signal.throwIfAborted();
        await work(item, slot);
      }
    }),
  );
}

const sourceOf = (root: string, path: string) => readFileSync(join(root, path), 'utf8');

/** Leaves nothing of a hunt behind. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

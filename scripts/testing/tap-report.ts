/** Reads TAP 14, as test files write it, into a tree of results. Knows nothing of processes or terminals. */

export interface TestPoint {
  readonly title: string;
  readonly isOk: boolean;
  /** The reason given, where the test was skipped or is still to be done. */
  readonly skipped: string | undefined;
  readonly durationMs: number;
  /** The YAML block below a failed assertion. */
  readonly diagnostic: string;
  readonly children: readonly TestPoint[];
}

type Draft = { -readonly [K in keyof TestPoint]: TestPoint[K] };

export interface TapReader {
  /** Takes the next line, without its line end. */
  line(text: string): void;
  /** Returns the whole file's result. It failed if its process did, which `exit` then tells, or if it ended before all of its tests. */
  end(title: string, durationMs: number, exit: string): TestPoint;
}

const PLAN_LINE = /^1\.\.(\d+)/;
const POINT_LINE = /^(not )?ok(?: \d+)?(?: -)? ?(.*?)( \{)?$/;
const DIRECTIVE = /(?:^| )# (?:(SKIP|TODO)\b ?(.*)|time=([\d.]+)ms)\s*$/i;

export function createTapReader(): TapReader {
  /** Results per depth that wait for the line of their parent, which TAP writes after them. */
  const waiting: Draft[][] = [[]];
  /** Parents whose results follow in braces, as `tap` writes tests that ran in parallel. */
  const open: { readonly depth: number; readonly point: Draft }[] = [];
  let last: Draft | undefined;
  let isInDiagnostic = false;
  let planned: number | undefined;

  const complete = (point: Draft, depth: number) => {
    (waiting[depth] ??= []).push(point);
  };

  return {
    line(raw) {
      const depth = Math.floor((/^ */.exec(raw)?.[0].length ?? 0) / 4);
      const text = raw.trim();
      if (isInDiagnostic) {
        if (text === '...') isInDiagnostic = false;
        else if (last !== undefined) last.diagnostic += `${raw}\n`;
        return;
      }
      if (text === '---') {
        isInDiagnostic = true;
        return;
      }
      if (text === '}' && open.at(-1)?.depth === depth) {
        const parent = open.pop();
        if (parent === undefined) return;
        parent.point.children = waiting[depth + 1] ?? [];
        waiting[depth + 1] = [];
        complete(parent.point, depth);
        return;
      }
      const plan = depth === 0 ? PLAN_LINE.exec(text)?.[1] : undefined;
      if (plan !== undefined) planned = Number(plan);
      const match = POINT_LINE.exec(text);
      if (match === null) return;
      last = readPoint(match);
      if (match[3] !== undefined) {
        open.push({ depth, point: last });
        return;
      }
      last.children = waiting[depth + 1] ?? [];
      waiting[depth + 1] = [];
      complete(last, depth);
    },
    end(title, durationMs, exit) {
      const children = waiting[0] ?? [];
      const isWhole = planned === children.length;
      const diagnostic = exit || (isWhole ? '' : 'ended before all of its tests');
      const isOk = diagnostic === '' && children.every((child) => child.isOk);
      return { title, isOk, skipped: undefined, durationMs, diagnostic, children };
    },
  };
}

function readPoint(match: RegExpExecArray): Draft {
  const point: Draft = {
    title: '',
    isOk: match[1] === undefined,
    skipped: undefined,
    durationMs: 0,
    diagnostic: '',
    children: [],
  };
  let rest = match[2] ?? '';
  for (let found = DIRECTIVE.exec(rest); found !== null; found = DIRECTIVE.exec(rest)) {
    if (found[3] !== undefined) point.durationMs = Number(found[3]);
    else point.skipped = found[2]?.trim() === '' ? 'no reason given' : found[2]?.trim();
    rest = rest.slice(0, found.index);
  }
  point.title = rest.replaceAll('\\#', '#').trim();
  return point;
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts the tests of files. A test is a promise: a `t.test` without tests inside, or an assertion that stands outside of any. */
export function tally(files: readonly TestPoint[]): Tally {
  return add(
    files.map((file) => {
      const inner = add(file.children.map(count));
      // A failure that no test owns: the file could not be loaded, or a hook threw. A file without tests hides that it was emptied.
      const isHidden = file.children.length === 0 || (!file.isOk && inner.failed === 0);
      return isHidden ? add([inner, { passed: 0, failed: 1, skipped: 0 }]) : inner;
    }),
  );
}

function count(point: TestPoint): Tally {
  if (point.children.some((child) => child.children.length > 0)) {
    const inner = add(point.children.map(count));
    return !point.isOk && inner.failed === 0 ? add([inner, { passed: 0, failed: 1, skipped: 0 }]) : inner;
  }
  if (!point.isOk) return { passed: 0, failed: 1, skipped: 0 };
  // A promise of which a part was left out is not kept.
  if (point.children.some((child) => child.skipped !== undefined)) return { passed: 0, failed: 0, skipped: 1 };
  return point.skipped === undefined ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 0, skipped: 1 };
}

const add = (tallies: readonly Tally[]): Tally => ({
  passed: tallies.reduce((sum, each) => sum + each.passed, 0),
  failed: tallies.reduce((sum, each) => sum + each.failed, 0),
  skipped: tallies.reduce((sum, each) => sum + each.skipped, 0),
});

/** Each failed point that no failed point below explains, with the titles that lead to it. */
export function listFailures(
  points: readonly TestPoint[],
  path: readonly string[] = [],
): { path: string[]; point: TestPoint }[] {
  return points
    .filter((point) => !point.isOk)
    .flatMap((point) => {
      const below = listFailures(point.children, [...path, point.title]);
      return below.length > 0 ? below : [{ path: [...path, point.title], point }];
    });
}

/** Each skipped point, with the titles that lead to it. */
export function listSkipped(
  points: readonly TestPoint[],
  path: readonly string[] = [],
): { path: string[]; reason: string }[] {
  return points.flatMap((point) => [
    ...(point.skipped === undefined ? [] : [{ path: [...path, point.title], reason: point.skipped }]),
    ...listSkipped(point.children, [...path, point.title]),
  ]);
}

/** The tables of the gateway's benchmark, and its aims beside what was measured. */
import { DIRECT, NGINX, NGINX_LUA, PORTKEY, VELLO } from './arms.ts';
import { ADMITTED_USERS } from './measure-admission.ts';
import { textTable } from '../../text-table.ts';

/** Of one arm; each list has one value a round, all others are of all rounds together. */
export interface ArmResult {
  readonly name: string;
  readonly perSecond: number[];
  readonly requestMicros: number[];
  readonly lonePerSecond: number[];
  readonly loneMicros: number[];
  readonly firstByteMs: number[];
  readonly chunkMicros: number[];
  readonly chunkAgeMs: number[];
  readonly uploadMs: number[];
  readonly uploadMicros: number[];
  /** Bytes for each idle stream. */
  readonly streamBytes: number[];
  /** What could not be measured, and why. */
  readonly failures: Set<string>;
}

export const emptyResult = (name: string): ArmResult => ({
  ...{ name, perSecond: [], requestMicros: [], lonePerSecond: [], loneMicros: [], firstByteMs: [], chunkMicros: [] },
  ...{ chunkAgeMs: [], uploadMs: [], uploadMicros: [], streamBytes: [], failures: new Set() },
});

const UNMEASURED = '-';

export function printResults(results: readonly ArmResult[]): void {
  const direct = results.find(({ name }) => name === DIRECT);
  const added = (ms: readonly number[], base: readonly number[] | undefined, at: number) => {
    const value = quantile(ms, at);
    if (!Number.isFinite(value)) return UNMEASURED;
    const more = addedMs(ms, base, at);
    return ms === base ? value.toFixed(2) : `${value.toFixed(2)} (${more < 0 ? '' : '+'}${more.toFixed(2)})`;
  };
  const number = (values: readonly number[], digits: number) =>
    values.length === 0 ? UNMEASURED : median(values).toFixed(digits);
  const spread = (values: readonly number[], digits: number) =>
    values.length === 0
      ? UNMEASURED
      : `${median(values).toFixed(digits)} [${Math.min(...values).toFixed(digits)} ${Math.max(...values).toFixed(digits)}]`;
  console.log(
    textTable(
      ['', 'requests/s, 16 at once', 'own µs each', 'requests/s, 1 at once', 'own µs each', '1 MB, own µs'],
      results.map((one) => [
        ...[one.name, number(one.perSecond, 0), spread(one.requestMicros, 1)],
        ...[number(one.lonePerSecond, 0), spread(one.loneMicros, 1), spread(one.uploadMicros, 0)],
      ]),
    ),
  );
  console.log('');
  console.log(
    textTable(
      [
        'ms (and added)',
        'first byte p50',
        'p99',
        'chunk p50',
        'p99',
        'own µs a chunk',
        '1 MB p50',
        'kB an idle stream',
      ],
      results.map((one) => [
        one.name,
        added(one.firstByteMs, direct?.firstByteMs, 0.5),
        added(one.firstByteMs, direct?.firstByteMs, 0.99),
        added(one.chunkAgeMs, direct?.chunkAgeMs, 0.5),
        added(one.chunkAgeMs, direct?.chunkAgeMs, 0.99),
        spread(one.chunkMicros, 1),
        added(one.uploadMs, direct?.uploadMs, 0.5),
        number(
          one.streamBytes.map((bytes) => bytes / 1024),
          1,
        ),
      ]),
    ),
  );
}

/** `admissionMicros` for each of `ADMITTED_USERS`. */
export function printAims(results: readonly ArmResult[], admissionMicros: readonly number[]): void {
  const of = (name: string) => results.find((one) => one.name === name) ?? emptyResult(name);
  const [direct, vello, nginx, lua, portkey] = [of(DIRECT), of(VELLO), of(NGINX), of(NGINX_LUA), of(PORTKEY)];
  const times = (name: string, value: number, unit: string) =>
    `${value.toFixed(value < 10 ? 2 : 1)} ${unit} for ${name}`;
  const firstByte = (at: number) => {
    const [ours, theirs] = [vello, nginx].map((one) => addedMs(one.firstByteMs, direct.firstByteMs, at));
    return { ours: ours ?? NaN, theirs: theirs ?? NaN };
  };
  const [p50, p99] = [firstByte(0.5), firstByte(0.99)];
  const processor = { ours: median(vello.requestMicros), theirs: median(lua.requestMicros) };
  const rate = { ours: median(vello.perSecond), theirs: median(portkey.perSecond) };
  const aims: readonly (readonly [string, string, string, boolean])[] = [
    [
      'processor time, at most 1.0 x nginx + Lua',
      `${(processor.ours / processor.theirs).toFixed(2)} x`,
      times(NGINX_LUA, processor.theirs, 'µs'),
      processor.ours <= processor.theirs,
    ],
    [
      'first byte p50, at most 1.5 x nginx',
      `+${p50.ours.toFixed(3)} ms`,
      times(NGINX, p50.theirs, 'ms'),
      p50.ours <= 1.5 * p50.theirs,
    ],
    [
      'first byte p99, at most 1.5 x nginx',
      `+${p99.ours.toFixed(3)} ms`,
      times(NGINX, p99.theirs, 'ms'),
      p99.ours <= 1.5 * p99.theirs,
    ],
    [
      'own time a chunk, under 5 µs',
      `${median(vello.chunkMicros).toFixed(1)} µs`,
      times(NGINX, median(nginx.chunkMicros), 'µs'),
      median(vello.chunkMicros) < 5,
    ],
    [
      'admission, under 1 µs',
      admissionMicros.map((micros) => `${micros.toFixed(2)} µs`).join(', '),
      `of ${ADMITTED_USERS.join(', ')} users in turn`,
      admissionMicros.every((micros) => micros < 1),
    ],
    [
      'requests/s, at least 20 x Portkey',
      `${(rate.ours / rate.theirs).toFixed(1)} x`,
      times(PORTKEY, rate.theirs, 'requests/s'),
      rate.ours >= 20 * rate.theirs,
    ],
    [
      'idle stream, at most 16 kB',
      `${(median(vello.streamBytes) / 1024).toFixed(1)} kB`,
      times(NGINX, median(nginx.streamBytes) / 1024, 'kB'),
      median(vello.streamBytes) <= 16 * 1024,
    ],
  ];
  console.log(
    textTable(
      ['aim', 'Vello', 'against', ''],
      aims.map(([aim, measured, against, isMet]) =>
        /NaN/.test(measured + against)
          ? [aim, measured, 'not measured', '']
          : [aim, measured, against, isMet ? 'met' : 'MISSED'],
      ),
    ),
  );
}

const addedMs = (ms: readonly number[], base: readonly number[] | undefined, at: number): number =>
  quantile(ms, at) - quantile(base ?? [], at);

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export function quantile(values: readonly number[], at: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}

/** The scenarios that every peer plays, and what one of them is measured in. */

export const SCENARIOS = {
  'hot actor': { unit: 'messages/s', more: 'better' },
  '1,000 actors': { unit: 'messages/s', more: 'better' },
  'ping-pong': { unit: 'exchanges/s', more: 'better' },
  ask: { unit: 'answers/s', more: 'better' },
  'fan-out to 1,000': { unit: 'messages/s', more: 'better' },
  'hot beside 1,000 busy peers': { unit: 'messages/s', more: 'better' },
  'spawn and stop 20,000': { unit: 'actors/s', more: 'better' },
  'memory per idle actor': { unit: 'bytes', more: 'worse' },
} as const;
export type ScenarioName = keyof typeof SCENARIOS;

/** Plays one scenario and resolves to the result in its unit. */
export type Play = (sizes: Sizes) => Promise<number>;
export type Peer = Readonly<Record<ScenarioName, Play>>;

export interface Sizes {
  /** How long a throughput scenario is repeated, after as long a warm-up. */
  readonly playMs: number;
}

/** How long each busy peer's handler works: a small JSON parse, a hash. */
export const BUSY_US = 50;
export const BATCH = 10_000;
export const CROWD = 1_000;
export const SPAWNED = 20_000;
export const IDLE = 50_000;

/** Repeats a batch for the given time, once to warm up and once to count; resolves to operations a second. */
export async function rate({ playMs }: Sizes, operations: number, batch: () => Promise<void>): Promise<number> {
  for (const startedMs = performance.now(); performance.now() - startedMs < playMs;) await batch();
  const startedMs = performance.now();
  let batches = 0;
  while (performance.now() - startedMs < playMs) {
    await batch();
    batches += 1;
  }
  return (batches * operations * 1000) / (performance.now() - startedMs);
}

/** A promise to be fulfilled from a handler. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

export function work(us: number): void {
  const untilMs = performance.now() + us / 1000;
  while (performance.now() < untilMs);
}

/** Heap that `count` things made by `make` keep alive, per thing. Needs --expose-gc. */
export async function bytesEach(count: number, make: () => Promise<unknown>): Promise<number> {
  const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept = await make();
  await new Promise((resolve) => setTimeout(resolve, 50));
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  return kept === undefined ? Number.NaN : bytes;
}

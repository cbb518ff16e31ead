/** Benchmark of the event streams: putting events in, and taking them out with an owner-checked settlement, beside BullMQ where it is installed. */
import { cpus } from 'node:os';
import type { Redis } from 'ioredis';
import { streamKey } from '../../config/streams.ts';
import { connectRedis } from '../../transports/redis/connection/connect.ts';
import { createEventStreams } from '../../transports/redis/streams/event-stream.ts';
import { createJsonLog } from '../../transports/telemetry/json-log.ts';
import { createPrometheusMetrics } from '../../transports/telemetry/prometheus-metrics.ts';
import { UsageError } from '../command.ts';
import { textTable } from '../text-table.ts';

/** Times in ms that `count` events took, one for each round. */
interface Rounds {
  readonly name: string;
  readonly enqueueMs: number[];
  readonly consumeMs: number[];
}

type Round = (count: number) => Promise<{ readonly enqueueMs: number; readonly consumeMs: number }>;

/** As large as a usage event without a kept text. */
const FIELD = 'x'.repeat(200);
const PIPELINE = 100;
const READ = 500;
const SETTLE = 64;

/** Arguments: URL of a Redis whose streams may be emptied, events a round, rounds. */
export async function run([url, events = '50000', rounds = '5']: readonly string[]): Promise<void> {
  const [count, times] = [Number(events), Number(rounds)];
  if (url === undefined) throw new UsageError('bench streams <redis url> [events] [rounds]: its streams are emptied');
  if (!(Number.isInteger(count) && count > 0 && Number.isInteger(times) && times > 0)) {
    throw new UsageError('Events and rounds are whole numbers above 0');
  }
  const log = createJsonLog({ level: 'silent', write: () => undefined });
  const redis = await connectRedis({ url, use: 'command', name: 'vello-bench', log });
  const streams = createEventStreams({ url, log, metrics: createPrometheusMetrics() });
  const stream = await streams.open('transcribe');
  try {
    const ours: Rounds = { name: `Vello, settled ${SETTLE} at a time`, enqueueMs: [], consumeMs: [] };
    const single: Rounds = { name: 'Vello, settled one at a time', enqueueMs: [], consumeMs: [] };
    const bare: Rounds = { name: 'bare XADD, XREADGROUP, XACK (not owner-checked)', enqueueMs: [], consumeMs: [] };
    const settling =
      (batch: number): Round =>
      async (n) => ({ enqueueMs: await enqueue(redis, n), consumeMs: await consume(stream, n, batch) });
    const plain: Round = async (n) => ({ enqueueMs: await enqueue(redis, n), consumeMs: await consumeBare(redis, n) });
    const bull: Rounds = { name: 'BullMQ, addBulk of 100, concurrency 100', enqueueMs: [], consumeMs: [] };
    const bullmq = await findBullMq();
    const peer: (readonly [Rounds, Round])[] = bullmq === undefined ? [] : [[bull, (n) => runBullMq(bullmq, url, n)]];
    // Interleaved, so that what else the machine does falls on all alike.
    for (let round = 0; round < times; round += 1) {
      for (const [into, measure] of [
        [ours, settling(SETTLE)],
        [single, settling(1)],
        [bare, plain],
        ...peer,
      ] as const) {
        await redis.del(streamKey('transcribe'));
        await stream.read('bench', 1, 1);
        const { enqueueMs, consumeMs } = await measure(count);
        into.enqueueMs.push(enqueueMs);
        into.consumeMs.push(consumeMs);
      }
    }
    print(bullmq === undefined ? [ours, single, bare] : [ours, single, bare, bull], count, times);
  } finally {
    stream.close();
    redis.disconnect();
  }
}

async function enqueue(redis: Redis, count: number): Promise<number> {
  const startedMs = performance.now();
  for (let sent = 0; sent < count; sent += PIPELINE) {
    const pipeline = redis.pipeline();
    const size = Math.min(PIPELINE, count - sent);
    for (let n = 0; n < size; n += 1) pipeline.xadd(streamKey('transcribe'), '*', 'event', FIELD);
    await pipeline.exec();
  }
  return performance.now() - startedMs;
}

type Stream = Awaited<ReturnType<ReturnType<typeof createEventStreams>['open']>>;

async function consume(stream: Stream, count: number, batch: number): Promise<number> {
  const startedMs = performance.now();
  for (let done = 0; done < count;) {
    const ids = (await stream.read('bench', READ, 1000)).map(({ id }) => id);
    const calls: Promise<readonly string[]>[] = [];
    for (let from = 0; from < ids.length; from += batch)
      calls.push(stream.settle('bench', ids.slice(from, from + batch)));
    const lost = (await Promise.all(calls)).flat();
    if (lost.length > 0) throw new Error(`${lost.length} entries were lost`);
    done += ids.length;
  }
  return performance.now() - startedMs;
}

async function consumeBare(redis: Redis, count: number): Promise<number> {
  const [key, group] = [streamKey('transcribe'), 'job-collector-group'];
  const startedMs = performance.now();
  for (let done = 0; done < count;) {
    const reply = await redis.xreadgroup('GROUP', group, 'bench', 'COUNT', READ, 'STREAMS', key, '>');
    const entries = (reply as [string, [string, string[]][]][] | null)?.[0]?.[1] ?? [];
    const ids = entries.map(([id]) => id);
    if (ids.length > 0) await redis.xack(key, group, ...ids);
    done += ids.length;
  }
  return performance.now() - startedMs;
}

/** As much of BullMQ as is used here. It is no dependency: whoever wants it beside ours installs it. */
interface BullMq {
  readonly Queue: new (
    name: string,
    options: object,
  ) => {
    addBulk(jobs: readonly object[]): Promise<unknown>;
    obliterate(options: object): Promise<void>;
    close(): Promise<void>;
  };
  readonly Worker: new (name: string, handler: () => Promise<void>, options: object) => { close(): Promise<void> };
}

async function findBullMq(): Promise<BullMq | undefined> {
  try {
    const name = 'bullmq';
    return (await import(name)) as BullMq;
  } catch {
    return undefined;
  }
}

async function runBullMq({ Queue, Worker }: BullMq, url: string, count: number) {
  const { hostname, port, password } = new URL(url);
  const connection = {
    host: hostname,
    port: Number(port),
    password: password || undefined,
    maxRetriesPerRequest: null,
  };
  const queue = new Queue('vello-bench', { connection });
  await queue.obliterate({ force: true });
  const options = { removeOnComplete: true };
  const enqueueStartedMs = performance.now();
  for (let sent = 0; sent < count; sent += PIPELINE) {
    const size = Math.min(PIPELINE, count - sent);
    await queue.addBulk(Array.from({ length: size }, () => ({ name: 'event', data: { event: FIELD }, opts: options })));
  }
  const consumeStartedMs = performance.now();
  let left = count;
  await new Promise<void>((resolve) => {
    const handler = async () => {
      left -= 1;
      if (left === 0) worker.close().then(resolve, resolve);
    };
    const worker = new Worker('vello-bench', handler, { connection, concurrency: 100 });
  });
  const endedMs = performance.now();
  await queue.close();
  return { enqueueMs: consumeStartedMs - enqueueStartedMs, consumeMs: endedMs - consumeStartedMs };
}

function print(all: readonly Rounds[], count: number, times: number): void {
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, ${count} events, ${times} rounds`,
  );
  const missing = all.some(({ name }) => name.startsWith('BullMQ'))
    ? []
    : [['BullMQ', 'not installed', 'not installed']];
  const rows = all.map(({ name, enqueueMs, consumeMs }) => [name, rate(enqueueMs, count), rate(consumeMs, count)]);
  console.log(textTable(['events per second (median)', 'enqueue', 'consume'], [...rows, ...missing]));
  for (const { name, enqueueMs, consumeMs } of all) {
    console.log(`raw ms, ${name}: enqueue ${raw(enqueueMs)}; consume ${raw(consumeMs)}`);
  }
}

const rate = (ms: readonly number[], count: number): number => Math.round((1000 * count) / median(ms));
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
const raw = (values: readonly number[]): string => values.map((value) => value.toFixed(0)).join(' ');

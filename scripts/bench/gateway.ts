/** Benchmark of the gateway: what a proxied call costs and waits, beside every peer that is installed and the floor of what Node.js can do. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { streamKey } from '../../config/streams.ts';
import { findFreePort } from '../../transports/process/free-port.ts';
import { findRedisBinary, serverSearchPath } from '../../transports/process/redis-binary.ts';
import { redisUrl, startRedis } from '../../transports/process/redis-server.ts';
import { connectRedis } from '../../transports/redis/connection/connect.ts';
import { createJsonLog } from '../../transports/telemetry/json-log.ts';
import { CommandError, UsageError } from '../command.ts';
import { count } from '../count.ts';
import { projectRoot } from '../project-root.ts';
import { fetchPrograms } from '../peers/fetched-programs.ts';
import type { PeerWorld } from '../peers/peer.ts';
import { forkPart, startArms, type BenchArm } from './gateway/arms.ts';
import type { LoadTask, LoadPlay, Played } from './gateway/load.ts';
import { ADMITTED_USERS, measureAdmission } from './gateway/measure-admission.ts';
import { BENCH_ACCESS_TOKEN, chatRequest, CHUNKS, uploadRequest } from './gateway/prepared-requests.ts';
import {
  createPinning,
  processorMicros,
  processTree,
  residentBytes,
  watchOthers,
  type Pinning,
} from './gateway/process-accounts.ts';
import { emptyResult, median, printAims, printResults, type ArmResult } from './gateway/report.ts';

const CONCURRENCY = 16;
/** Streams that are open before the first look at the memory, so that what it holds for any stream is there, and that are opened then. */
const STREAMS_BEFORE = 200;
const STREAMS = 1_000;
/** Looks at the memory until it changes no more, a few times at most: less than half a kB a stream. */
const LOOK_MS = 1_000;
const MOST_LOOKS = 10;
const SETTLED_BYTES = 400_000;

/** Longest wait for a server to be warm. */
const WARM_UP_MS = 20_000;
/** `../testing/collect-garbage.ts` */
const COLLECT_GARBAGE = 'SIGURG';
/** Of the last answer of a play, or the first bytes of all streams. */
const LATEST_MS = 30_000;

/** How long the parts of a round last, in ms; and after how many requests a server is warm, which takes Node.js some thousands. */
interface Lengths {
  readonly rounds: number;
  readonly warmUp: number;
  readonly wholeMs: number;
  readonly partMs: number;
}
const FULL: Lengths = { rounds: 5, warmUp: 25_000, wholeMs: 2_500, partMs: 1_500 };
const QUICK: Lengths = { rounds: 1, warmUp: 10_000, wholeMs: 1_200, partMs: 600 };

const EVENT_KEYS = [streamKey('process'), streamKey('transcribe')];

interface Bench {
  readonly redis: Redis;
  readonly perform: (task: LoadTask) => Promise<Played>;
}

/** Arguments: rounds (default 5), and parts of the names of those that are compared (default: all). `isQuick`: one short round. */
export async function run([rounds, ...wanted]: readonly string[], isQuick: boolean): Promise<void> {
  const lengths = isQuick ? QUICK : FULL;
  const times = Number(rounds ?? lengths.rounds);
  if (!(Number.isInteger(times) && times > 0))
    throw new UsageError('bench gateway [rounds] [names]: rounds are a whole number above 0');
  const isWanted = (name: string) =>
    wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part.toLowerCase()));
  const folder = mkdtempSync(join(tmpdir(), 'vello-bench-'));
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  try {
    const pinning = createPinning();
    pinning.other(process.pid);
    const { world, bench } = await startAround(folder, pinning, ends);
    process.env['NODE_OPTIONS'] = `--import=${new URL('../testing/collect-garbage.js', import.meta.url).href}`;
    const { arms, missing } = await startArms(world, isWanted, ends);
    for (const { pid } of arms) if (pid !== undefined) pinning.server(pid);
    console.log(
      `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node.js ${process.versions.node}; loopback; ${pinning.inWords}.`,
    );
    console.log(
      `${count(times, 'round')}, interleaved. Medians, and the least and the most. Load and provider alone do what the first row says.\n`,
    );
    const othersShare = watchOthers();
    const results = new Map(arms.map((arm) => [arm, emptyResult(arm.name)]));
    for (const arm of arms) await warmUp(bench, arm, lengths);
    // Interleaved, so that what else the machine does falls on all alike.
    for (let round = 0; round < times; round += 1) {
      for (const [arm, result] of results) await playRound(bench, arm, lengths, result);
    }
    for (const [arm, result] of results) await measureStreams(bench, arm, result);
    const strangers = othersShare();
    printResults([...results.values()]);
    for (const line of [...missing, ...[...results.values()].flatMap(({ failures }) => [...failures])])
      console.log(line);
    if (strangers !== undefined)
      console.log(`Other programs took ${(strangers * 100).toFixed(0)} % of the processors meanwhile.`);
    console.log('');
    printAims([...results.values()], ADMITTED_USERS.map(measureAdmission));
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** What stands around the measured server: Redis, provider, load. */
async function startAround(folder: string, pinning: Pinning, ends: (() => unknown)[]) {
  const cache = process.env['VELLO_CACHE'] ?? join(projectRoot, '.vello', 'cache');
  const binary = findRedisBinary(serverSearchPath(process.env['PATH']), cache);
  if (binary === undefined) throw new CommandError('There is no redis-server here. npm start obtains one.');
  await fetchPrograms(cache, new AbortController().signal, console.log);
  const options = {
    ...{ binary, folder: join(folder, 'redis'), logFile: join(folder, 'redis.log') },
    ...{ port: await findFreePort(), password: 'bench' },
  };
  const server = await startRedis(options);
  ends.push(() => server.stop(5000));
  const log = createJsonLog({ level: 'silent', write: () => undefined });
  const redis = await connectRedis({ url: redisUrl(options), use: 'command', name: 'vello-bench', log });
  ends.push(() => redis.disconnect());
  const provider = await forkPart('mock-provider');
  ends.push(() => provider.child.kill());
  const world: PeerWorld = {
    ...{ cache, redisUrl: redisUrl(options), upstreamUrl: `http://127.0.0.1:${provider.port}` },
    ...{ token: BENCH_ACCESS_TOKEN, providerKey: 'sk-bench-0123456789' },
  };
  for (const pid of [server.pid, provider.child.pid ?? 0]) pinning.other(pid);
  // Of this process, and on its processor.
  let load = forkLoad();
  ends.push(() => load.kill());
  const perform = async (task: LoadTask) => {
    try {
      return await askLoad(load, task);
    } catch (error) {
      // With all that it holds open.
      load.kill();
      load = forkLoad();
      throw error;
    }
  };
  return { world, bench: { redis, perform } };
}

const forkLoad = () =>
  fork(fileURLToPath(new URL('./gateway/load.js', import.meta.url)), [], { serialization: 'advanced' });

async function askLoad(load: ChildProcess, task: LoadTask): Promise<Played> {
  load.send(task);
  const withinMs = LATEST_MS + (task.type === 'play' ? (task.mostMs ?? task.forMs) : 0);
  const late = AbortSignal.timeout(withinMs);
  const answer = once(load, 'message', { signal: late }).catch(() => [{ error: 'answers did not come' }]);
  const [{ played, error }] = (await answer) as [{ played: Played; error?: string }];
  if (error !== undefined) throw new Error(error);
  return played;
}

/** Nothing of it is kept, and what fails will fail again. */
async function warmUp(bench: Bench, arm: BenchArm, { warmUp: least, partMs }: Lengths): Promise<void> {
  const whole = { request: chatRequest('whole', arm.headers), least };
  const streamed = { request: chatRequest('chunks', arm.headers) };
  const upload = { request: uploadRequest(arm.headers) };
  for (const part of [whole, streamed, upload]) {
    const play = { ...part, connections: CONCURRENCY, forMs: partMs, mostMs: WARM_UP_MS };
    await measure(bench, arm, play).catch(() => undefined);
  }
}

/** A part that fails is said, and left out. */
async function playRound(bench: Bench, arm: BenchArm, lengths: Lengths, into: ArmResult): Promise<void> {
  const { wholeMs, partMs } = lengths;
  const play = async (part: string, request: Uint8Array, connections: number, forMs: number) => {
    try {
      return await measure(bench, arm, { request, connections, forMs });
    } catch (error) {
      into.failures.add(`${arm.name}, ${part}: ${(error as Error).message}`);
      return undefined;
    }
  };
  const busy = await play('16 at once', chatRequest('whole', arm.headers), CONCURRENCY, wholeMs);
  if (busy !== undefined) into.perSecond.push(busy.perSecond);
  into.requestMicros.push(...(busy?.micros ?? []));
  const lone = await play('1 at once', chatRequest('whole', arm.headers), 1, partMs);
  if (lone !== undefined) into.lonePerSecond.push(lone.perSecond);
  into.loneMicros.push(...(lone?.micros ?? []));
  const first = await play('first byte', chatRequest('first', arm.headers), 1, partMs);
  into.firstByteMs.push(...(first?.firstByteMs ?? []));
  const streamed = await play('chunks', chatRequest('chunks', arm.headers), CONCURRENCY, partMs);
  into.chunkAgeMs.push(...(streamed?.chunkAgeMs ?? []));
  // What the request costs that brings the stream is no part of a chunk.
  const ofRequest = median(busy?.micros ?? []);
  into.chunkMicros.push(...(streamed?.micros ?? []).map((micros) => (micros - ofRequest) / CHUNKS));
  const upload = await play('1 MB upload', uploadRequest(arm.headers), 1, partMs);
  into.uploadMs.push(...(upload?.wholeMs ?? []));
  into.uploadMicros.push(...(upload?.micros ?? []));
}

/** `micros`: own processor time for each request, the sending of its event included; none where it cannot be measured. */
async function measure(bench: Bench, arm: BenchArm, play: Omit<LoadPlay, 'type' | 'port'>) {
  const pids = arm.pid === undefined ? [] : processTree(arm.pid);
  await bench.redis.del(EVENT_KEYS);
  const before = processorMicros(pids);
  const played = await bench.perform({ type: 'play', port: portOf(arm), ...play });
  if (arm.reports) await takeEvents(bench.redis, arm, played.requests);
  const after = processorMicros(pids);
  const isMeasured = pids.length > 0 && before !== undefined && after !== undefined;
  const micros = isMeasured ? [(after - before) / played.requests] : [];
  return { ...played, micros, perSecond: (played.requests * 1000) / played.elapsedMs };
}

/** Waits until there is one event for each request. */
async function takeEvents(redis: Redis, arm: BenchArm, requests: number): Promise<void> {
  for (let left = 1_000; ; left -= 1) {
    const lengths = await Promise.all(EVENT_KEYS.map((key) => redis.xlen(key)));
    const events = lengths.reduce((sum, length) => sum + length, 0);
    if (events === requests) break;
    if (left === 0 || events > requests)
      throw new CommandError(`${arm.name} reported ${events} events for ${requests} requests.`);
    await wait(10);
  }
}

const portOf = ({ url }: BenchArm): number => Number(new URL(url).port);

/** What is left when the garbage of earlier parts is collected and given back, which takes the system some seconds. */
async function settledBytes(pids: readonly number[]): Promise<number | undefined> {
  let settled = residentBytes(pids);
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    for (const pid of pids) process.kill(pid, COLLECT_GARBAGE);
    await wait(LOOK_MS);
    const bytes = residentBytes(pids);
    const isSettled = settled !== undefined && bytes !== undefined && Math.abs(bytes - settled) < SETTLED_BYTES;
    settled = bytes;
    if (isSettled) break;
  }
  return settled;
}

async function measureStreams(bench: Bench, arm: BenchArm, into: ArmResult): Promise<void> {
  if (arm.pid === undefined) return;
  const pids = processTree(arm.pid);
  const request = chatRequest('silent', arm.headers);
  const open = async (connections: number) => {
    await bench.perform({ type: 'open', port: portOf(arm), request, connections });
    return settledBytes(pids);
  };
  try {
    await bench.redis.del(EVENT_KEYS);
    const before = await open(STREAMS_BEFORE);
    const after = await open(STREAMS);
    if (before !== undefined && after !== undefined) into.streamBytes.push((after - before) / STREAMS);
    await bench.perform({ type: 'hang-up' });
    if (arm.reports) await takeEvents(bench.redis, arm, STREAMS_BEFORE + STREAMS);
  } catch (error) {
    into.failures.add(`${arm.name}, idle streams: ${(error as Error).message}`);
  }
}

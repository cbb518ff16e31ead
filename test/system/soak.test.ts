/**
 * A gateway under mixed traffic with departures and provider faults at random moments: its memory, descriptors and waiting times stay flat,
 * and each admitted request has one event. `npm run soak` runs it for longer; only from some minutes on can be judged what is flat.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { watchOthers } from '../../scripts/bench/gateway/process-accounts.ts';
import { createGrantPublisher } from '../../transports/redis/grants/grant-publisher.ts';
import { createPromptShelf } from '../../transports/redis/prompts/prompt-shelf.ts';
import { realClock } from '../fixtures/api-listener.ts';
import { eventually, openTestStreams } from '../fixtures/event-streams-on-redis.ts';
import { startFaultyProvider } from '../fixtures/faulty-provider.ts';
import { chanceFrom, fuzzMinutes, fuzzSeed } from '../fixtures/fuzz-run.ts';
import { COLLECTS_GARBAGE, countEvents, sampleGateway, type GatewaySample } from '../fixtures/gateway-accounts.ts';
import { startGatewayProcess } from '../fixtures/gateway-process.ts';
import { startRedis } from '../fixtures/redis.ts';
import { startTraffic, type AskedRequest } from '../fixtures/soak-traffic.ts';
import { grows } from '../fixtures/trend.ts';

const PER_SECOND = 75;
const soakMs = fuzzMinutes > 0 ? fuzzMinutes * 60_000 : 12_000;
/** Of traffic, and then a look at the gateway at rest. */
const windowMs = Math.max(6_000, soakMs / 30);
const JUDGED_FROM_MINUTES = 3;
/** Descriptors that a gateway at rest may have more than at its start. */
const SPARE = 3;
/** Least share of others that is seen in waiting times. */
const CALM = 0.2;
const MB = 1024 * 1024;

t.setTimeout(2 * soakMs + 120_000);

interface Window extends GatewaySample {
  readonly requests: number;
  readonly p99Ms: number;
  /** Of the processors, taken by other programs. */
  readonly othersShare: number;
}

t.test(`mixed traffic leaves nothing behind, and one event for each admitted request (seed ${fuzzSeed})`, async (t) => {
  const redis = await startRedis(t);
  const streams = await openTestStreams(t, redis);
  const provider = await startFaultyProvider(t);
  const ids = ['userId', 'deviceId', 'familyId'].map((name, at) => [name, `01939f5e-7f00-7000-8000-00000000000${at}`]);
  await createGrantPublisher(streams.redis, realClock).issue({
    ...(Object.fromEntries(ids) as Record<'userId' | 'deviceId' | 'familyId', string>),
    tokenHash: createHash('sha256').update('good').digest('base64url'),
    expiresAtMs: Date.now() + soakMs + 3_600_000,
  });
  await createPromptShelf(streams.redis).put([{ name: 'soak', version: 1, text: 'Be brief.', madeAtMs: 1 }]);
  const gateway = await startGatewayProcess(t, redis.url, provider.url, {
    environment: { NODE_OPTIONS: COLLECTS_GARBAGE },
  });
  const atFirst = await sampleGateway(gateway);

  const asked: AskedRequest[] = [];
  const events = countEvents(streams.redis);
  const chance = chanceFrom(fuzzSeed);
  const windows: Window[] = [];
  const untilMs = performance.now() + soakMs;
  while (performance.now() < untilMs) {
    const from = asked.length;
    const othersShare = watchOthers();
    const traffic = startTraffic({
      ...{ port: gateway.ports.gateway, token: 'good', prompt: 'soak', perSecond: PER_SECOND, chance },
      onEnd: (one) => void asked.push(one),
    });
    await sleep(windowMs);
    await traffic.stop();
    const seen = { requests: asked.length - from, p99Ms: p99(asked.slice(from)), othersShare: othersShare() ?? 0 };
    let rest = await sampleGateway(gateway);
    await eventually(async () => {
      provider.closeIdle();
      rest = await sampleGateway(gateway);
      const { active, waiting, descriptors } = rest;
      return active === 0 && waiting === 0 && provider.open === 0 && descriptors <= atFirst.descriptors + SPARE;
    });
    windows.push({ ...seen, ...rest });
    await events.read();
    t.comment(describe(windows));
  }
  t.pass('each pause finds no request under way, no event waiting and no descriptor left');

  const last = await sampleGateway(gateway);
  const eventsOf = ({ session }: AskedRequest) => events.outcomes.get(session)?.join() ?? 'none';
  const odd = (wrong: (one: AskedRequest) => boolean) =>
    asked.filter(wrong).map((one) => `${one.session} ${one.kind}: ${one.status}, ${eventsOf(one)}`);
  t.ok(asked.length > (PER_SECOND * windowMs * windows.length) / 2000, `${asked.length} requests`);
  t.equal(events.ids.size, last.reported, `${events.ids.size} events for ${last.reported} admitted requests`);
  t.comment(`${events.entries - events.ids.size} events are on their stream a second time`);
  t.same(
    odd((one) => one.owesEvent === true && eventsOf(one).includes(',')),
    [],
    'none has two',
  );
  t.same(
    odd((one) => one.owesEvent === true && eventsOf(one) === 'none'),
    [],
    'none has none',
  );
  t.same(
    odd((one) => one.owesEvent === false && eventsOf(one) !== 'none'),
    [],
    'what was not admitted has none',
  );
  t.same(
    odd((one) => one.owesEvent === undefined && provider.seen.has(one.session) && !/^\w+$/.test(eventsOf(one))),
    [],
    'who left has one, where the provider had the request',
  );
  t.same(
    odd((one) => one.isWellBehaved && (!one.isWhole || (one.owesEvent === true && eventsOf(one) !== 'ok'))),
    [],
    'the well-behaved were answered whole, whatever befell their neighbours',
  );

  if (fuzzMinutes >= JUDGED_FROM_MINUTES) {
    // A third is given to it to get warm.
    const judged = windows.slice(windows.length / 3);
    const heap = judged.map(({ heapBytes }) => heapBytes);
    t.notOk(grows(heap, MB / 2, 0.02), 'heap flat');
    const resident = judged.map(({ residentBytes }) => residentBytes);
    t.notOk(grows(resident, 16 * MB, 0.08), 'memory flat');
    // What other programs do adds to every wait, and is no fault of the gateway's.
    const p99s = judged.filter(({ othersShare }) => othersShare < CALM).map(({ p99Ms }) => p99Ms);
    const isCalm = p99s.length >= judged.length / 2;
    t.notOk(isCalm && grows(p99s, 10, 0.5), 'p99 flat', isCalm ? {} : { skip: 'other programs were busy' });
  }
  gateway.signal('SIGTERM');
  t.equal(await gateway.ended, 0, 'it ends in order');
});

t.test('what grows is found, and noise is not', async (t) => {
  const chance = chanceFrom(1);
  const steady = Array.from({ length: 200 }, () => Array.from({ length: 20 }, () => 100 + 20 * chance.next()));
  const found = (of: (value: number, at: number) => number) =>
    steady.filter((values) => grows(values.map(of), 1, 0.03)).length;
  t.ok(found((value) => value) <= 2, 'of two hundred steady series');
  t.equal(
    found((value, at) => value + 2 * at),
    200,
    'one that doubles the noise within the series',
  );
  t.ok(found((value, at) => (at === 19 ? 10_000 : value)) <= 10, 'one wild value at the end');
  const slow = Array.from({ length: 20 }, (_, at) => 100 + at / 10);
  t.notOk(grows(slow, 1, 0.03), 'what surely grows, but by less than matters');
});

function p99(requests: readonly AskedRequest[]): number {
  const times = requests.filter((one) => one.isWellBehaved && one.owesEvent === true).map((one) => one.waitedMs);
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;
}

function describe(windows: readonly Window[]): string {
  const { heapBytes, residentBytes, descriptors, requests, p99Ms, othersShare } = windows[windows.length - 1]!;
  return (
    `${windows.length}: ${requests} requests, p99 ${p99Ms.toFixed(0)} ms, other programs ${(othersShare * 100).toFixed(0)} %; at rest heap ` +
    `${(heapBytes / MB).toFixed(2)} MB, memory ${(residentBytes / MB).toFixed(0)} MB, ${descriptors} descriptors`
  );
}

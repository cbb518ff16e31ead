/**
 * A gateway under mixed traffic with departures and provider faults at random moments: its memory, descriptors and waiting times stay flat,
 * and each admitted request has one event. `npm run soak` runs it for longer; only from some minutes on can be judged what is flat.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
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
import { bestGrow, grows } from '../fixtures/trend.ts';

const PER_SECOND = 75;
const soakMs = fuzzMinutes > 0 ? fuzzMinutes * 60_000 : 12_000;
const WINDOWS = 30;
/** What a gateway takes to be warm. */
const FIRST_JUDGED = WINDOWS / 3;
const canJudge = fuzzMinutes >= 3;
const MB = 1024 * 1024;

t.setTimeout(soakMs + 120_000);

interface Window extends GatewaySample {
  readonly requests: number;
  readonly p99Ms: number;
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
  const traffic = startTraffic({
    ...{ port: gateway.ports.gateway, token: 'good', prompt: 'soak', perSecond: PER_SECOND },
    ...{ chance: chanceFrom(fuzzSeed), onEnd: (one) => void asked.push(one) },
  });
  const windows: Window[] = [];
  for (let at = 0; at < WINDOWS; at += 1) {
    const from = asked.length;
    await sleep(soakMs / WINDOWS);
    await events.read();
    const ended = asked.slice(from);
    const window = { ...(await sampleGateway(gateway)), requests: ended.length, p99Ms: p99(ended) };
    windows.push(window);
    t.comment(describe(at, window));
  }
  await traffic.stop();

  await eventually(async () => {
    const { active, waiting } = await sampleGateway(gateway);
    return active === 0 && waiting === 0 && provider.open === 0;
  });
  await events.read();
  const last = await sampleGateway(gateway);
  const eventsOf = ({ session }: AskedRequest) => events.outcomes.get(session)?.join() ?? 'none';
  const odd = (wrong: (one: AskedRequest) => boolean) =>
    asked.filter(wrong).map((one) => `${one.session} ${one.kind}: ${one.status}, ${eventsOf(one)}`);
  t.ok(asked.length > (PER_SECOND * soakMs) / 2000, `${asked.length} requests`);
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

  provider.closeIdle();
  const spare = 3;
  await eventually(async () => (await sampleGateway(gateway)).descriptors <= atFirst.descriptors + spare);
  t.pass('every connection is closed');
  if (canJudge) {
    const judged = windows.slice(FIRST_JUDGED);
    const flat = (name: string, of: (window: Window) => number, least: number, share: number) =>
      t.notOk(grows(judged.map(of), least, share), `${name} flat`);
    flat('heap', ({ heapBytes }) => heapBytes, MB, 0.03);
    flat('memory', ({ residentBytes }) => residentBytes, 16 * MB, 0.08);
    flat('descriptors', ({ descriptors }) => descriptors, 16, 0.2);
    const times = judged.map(({ p99Ms }) => p99Ms);
    t.notOk(bestGrow(times, 5, 0.5), 'p99 flat');
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
  const busy = (values: readonly number[]) => values.map((value, at) => (at % 3 === 0 || at < 8 ? value : value * at));
  t.equal(steady.filter((values) => bestGrow(busy(values), 1, 0.2)).length, 0, 'work of others, more and more of it');
  const slower = (values: readonly number[]) => busy(values.map((value, at) => value * (1 + at / 10)));
  t.equal(
    steady.filter((values) => bestGrow(slower(values), 1, 0.2)).length,
    200,
    'and beside it, one that gets slower',
  );
  const slow = Array.from({ length: 20 }, (_, at) => 100 + at / 10);
  t.notOk(grows(slow, 1, 0.03), 'what surely grows, but by less than matters');
});

function p99(requests: readonly AskedRequest[]): number {
  const times = requests.filter((one) => one.isWellBehaved && one.owesEvent === true).map((one) => one.waitedMs);
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0;
}

function describe(at: number, { heapBytes, residentBytes, descriptors, active, requests, p99Ms }: Window): string {
  const seconds = ((((at + 1) / WINDOWS) * soakMs) / 1000).toFixed(0);
  return (
    `${seconds} s: ${requests} requests, p99 ${p99Ms.toFixed(0)} ms, heap ${(heapBytes / MB).toFixed(1)} MB, ` +
    `memory ${(residentBytes / MB).toFixed(0)} MB, ${descriptors} descriptors, ${active} under way`
  );
}

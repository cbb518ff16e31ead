import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { EventSpool } from '../../../actors/events/event-outlet.ts';
import { createEventEmitter } from '../../../actors/events/event-emitter.ts';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import { createFileAdmissionJournal } from '../../../transports/process/file-admission-journal.ts';
import { createFileSpool } from '../../../transports/process/file-spool.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { connectRedis } from '../../../transports/redis/connection/connect.ts';
import { createEventOutlet } from '../../../transports/redis/streams/event-outlet.ts';
import { startRedis } from '../../fixtures/redis.ts';
import { createMemoryLog, createMemoryMetrics } from '../../fixtures/silent.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { usageEvent } from '../../fixtures/usage-event.ts';

const stream = 'modelsgateway:events:transcribe';

async function setUp(t: Test) {
  const server = await startRedis(t, { fsync: 'always' });
  const log = createMemoryLog();
  const metrics = createMemoryMetrics();
  const redis = await connectRedis({ url: server.url, use: 'command', name: 'test', log });
  t.teardown(() => redis.disconnect());
  const path = join(temporaryFolder(t), 'state', 'events.spool');
  const start = (clock: Clock = systemClock) => {
    const spool = createFileSpool(path, log);
    const emitter = createEventEmitter({
      outlet: createEventOutlet(redis),
      spool,
      journal: createFileAdmissionJournal(`${path}.admissions`, log),
      clock,
      log,
      metrics,
    });
    emitter.start();
    t.teardown(() => emitter.stop());
    return emitter;
  };
  const ids = async () =>
    (await redis.xrange(stream, '-', '+')).map(([, fields]) => fields[fields.indexOf('event_id') + 1]);
  const untilAll = async (emitter: { readonly waiting: number }) => {
    while (emitter.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  return { server, redis, metrics, log, path, start, ids, untilAll };
}

const journal = { open: () => [], note: () => undefined, close: () => undefined };
/** A disk that takes nothing. */
const spool: EventSpool = {
  open: () => undefined,
  waiting: 0,
  isSpent: false,
  append: () => {
    throw new Error('ENOSPC');
  },
  peek: () => [],
  drop: () => undefined,
  noteProgress: () => undefined,
  holds: () => new Set(),
  close: () => undefined,
};

const many = (count: number): UsageEvent[] => Array.from({ length: count }, () => usageEvent());
const idsOf = (events: readonly UsageEvent[]) => events.map((event) => event.eventId);

t.test('events reach their stream in order, each with all fields as strings', async (t) => {
  const { redis, start, ids, metrics } = await setUp(t);
  const emitter = start();
  const events = many(1_000);
  for (const event of events) emitter.emit(event);
  emitter.emit(usageEvent({ type: 'process' }));
  await emitter.stop();
  t.same(await ids(), idsOf(events));
  t.equal(await redis.xlen('modelsgateway:events:process'), 1);
  t.equal(metrics.value('vello_gateway_events_total', { way: 'direct' }), 1_001);
});

for (const [verb, title] of [
  ['kill', 'killed'],
  ['freeze', 'frozen'],
] as const) {
  t.test(`events of an outage (Redis ${title}) are spooled and follow in order, once`, async (t) => {
    const { server, redis, start, ids, untilAll, log } = await setUp(t);
    const emitter = start();
    const events = many(300);
    for (const event of events.slice(0, 100)) emitter.emit(event);
    await untilAll(emitter);
    await server[verb]();
    for (const event of events.slice(100, 200)) {
      emitter.emit(event);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    while (!log.lines.some((line) => line.message.startsWith('usage events stay in the spool'))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (verb === 'kill') await server.restart();
    else server.thaw();
    for (const event of events.slice(200)) emitter.emit(event);
    if (redis.status !== 'ready') await once(redis, 'ready');
    await untilAll(emitter);
    t.same(await ids(), idsOf(events));
    const after = usageEvent();
    emitter.emit(after);
    await untilAll(emitter);
    t.same(await ids(), idsOf([...events, after]));
    t.equal(log.lines.filter((line) => line.message.startsWith('usage events stay in the spool')).length, 1);
  });
}

t.test('what a stopped process left in its spool is sent by the next one, before anything newer', async (t) => {
  const { server, redis, start, ids, untilAll } = await setUp(t);
  const first = start();
  const events = many(20);
  await server.kill();
  for (const event of events.slice(0, 10)) first.emit(event);
  await first.stop();
  t.equal(first.waiting, 10);
  await server.restart();
  if (redis.status !== 'ready') await once(redis, 'ready');
  const second = start();
  for (const event of events.slice(10)) second.emit(event);
  await untilAll(second);
  t.same(await ids(), idsOf(events));
});

t.test('events that were sent but not noted as sent before a crash are recognised on the stream', async (t) => {
  const { server, redis, start, ids, untilAll } = await setUp(t);
  const events = many(10);
  const first = start();
  await server.kill();
  for (const event of events) first.emit(event);
  await first.stop();
  await server.restart();
  if (redis.status !== 'ready') await once(redis, 'ready');
  // As if the first process had been killed between the stream's answer and its own note of it.
  await createEventOutlet(redis).send(events.slice(0, 4), false);
  const second = start();
  await untilAll(second);
  t.same(await ids(), idsOf(events));
});

t.test('where neither stream nor disk takes events they wait in memory, and go when one does', async (t) => {
  const { server, redis, ids, untilAll } = await setUp(t);
  const log = createMemoryLog();
  const outlet = createEventOutlet(redis);
  const emitter = createEventEmitter({
    outlet,
    spool,
    journal,
    clock: systemClock,
    log,
    metrics: createMemoryMetrics(),
  });
  emitter.start();
  await server.kill();
  const events = many(5);
  for (const event of events) emitter.emit(event);
  while (!log.lines.some((line) => line.message.includes('cannot be spooled'))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await server.restart();
  await untilAll(emitter);
  t.same(await ids(), idsOf(events));
  const later = usageEvent();
  emitter.emit(later);
  await untilAll(emitter);
  t.equal((await ids()).length, 6);
  await emitter.stop();
});

t.test('an event is in the file before its answer may end, whatever Redis does', async (t) => {
  const { server, start, path } = await setUp(t);
  const emitter = start();
  server.freeze();
  const events = many(50);
  let early = 0;
  const durable = events.map(
    (event) =>
      new Promise<void>((resolve) =>
        emitter.emit(event, () => {
          if (!readFileSync(path, 'utf8').includes(event.eventId)) early += 1;
          resolve();
        }),
      ),
  );
  const startedMs = performance.now();
  await Promise.all(durable);
  t.equal(early, 0);
  t.ok(performance.now() - startedMs < 500, 'nobody waits for a stream that does not answer');
  server.thaw();
});

t.test('where neither stream nor disk takes events, an end says so with their ids', async (t) => {
  const { server, redis, log } = await setUp(t);
  const outlet = createEventOutlet(redis);
  const emitter = createEventEmitter({
    outlet,
    spool,
    journal,
    clock: systemClock,
    log,
    metrics: createMemoryMetrics(),
  });
  emitter.start();
  await server.kill();
  const event = usageEvent();
  await new Promise<void>((resolve) => emitter.emit(event, resolve));
  await t.rejects(emitter.stop(), /memory only/);
  t.match(JSON.stringify(log.lines), event.eventId);
});

t.test('what ends after the last flush is durable before its answer ends, and is sent at the end', async (t) => {
  const { start, ids } = await setUp(t);
  const emitter = start();
  const events = many(3);
  emitter.emit(events[0] ?? usageEvent());
  await emitter.flush();
  t.same(await ids(), idsOf(events.slice(0, 1)));
  for (const event of events.slice(1)) await new Promise<void>((resolve) => emitter.emit(event, resolve));
  await emitter.stop();
  t.same(await ids(), idsOf(events));
});

t.test('what had ended when a gateway was killed, and was not yet struck out, is not reported as lost', async (t) => {
  const { start, redis, untilAll, ids } = await setUp(t);
  let isAlive = true;
  const mortal: Clock = {
    ...systemClock,
    setTimer: (delayMs, fire) => systemClock.setTimer(delayMs, () => isAlive && fire()),
  };
  const killed = start(mortal);
  const event = usageEvent();
  killed.admit(event);
  await new Promise<void>((resolve) => killed.emit(event, resolve));
  while ((await redis.xlen(stream)) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  isAlive = false;
  // As if the collector had been quick: nothing on the stream tells any more that it was sent.
  await redis.del(stream);
  const next = start();
  const after = usageEvent();
  next.emit(after);
  await untilAll(next);
  const outcomes = (await redis.xrange(stream, '-', '+')).map(([, fields]) => fields[fields.indexOf('outcome') + 1]);
  t.notOk(outcomes.includes('lost'));
  t.ok((await ids()).includes(after.eventId));
});

t.test('a gateway starts on a disk that takes nothing, and uses it once it does', async (t) => {
  const { server, start, untilAll, ids, path, log } = await setUp(t);
  const folder = dirname(path);
  writeFileSync(folder, 'no folder');
  const emitter = start();
  const events = many(3);
  emitter.admit(events[0] ?? usageEvent());
  for (const event of events.slice(0, 2)) emitter.emit(event);
  await untilAll(emitter);
  t.same(await ids(), idsOf(events.slice(0, 2)), 'the stream takes them');
  server.freeze();
  rmSync(folder);
  await new Promise((resolve) => setTimeout(resolve, 600));
  await new Promise<void>((resolve) => emitter.emit(events[2] ?? usageEvent(), resolve));
  t.ok(readFileSync(path, 'utf8').includes(events[2]?.eventId ?? '-'));
  server.thaw();
  await untilAll(emitter);
  t.same(await ids(), idsOf(events));
  t.equal(log.lines.filter(({ message }) => message.includes('cannot be spooled')).length, 1);
});

t.test('tens of thousands of events wait in memory without making each new one slow', async (t) => {
  const { server, redis, log } = await setUp(t);
  const emitter = createEventEmitter({
    ...{ outlet: createEventOutlet(redis), spool, journal, clock: systemClock, log },
    metrics: createMemoryMetrics(),
  });
  emitter.start();
  await server.kill();
  for (const event of many(30_000)) emitter.emit(event);
  const startedMs = performance.now();
  for (let turn = 0; turn < 1000; turn += 1) {
    emitter.emit(usageEvent());
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(performance.now() - startedMs < 5000);
  t.equal(emitter.waiting, 31_000);
  await t.rejects(emitter.stop());
});

t.test('what a killed gateway had admitted and not ended is reported as lost by the next one, once', async (t) => {
  const { start, redis, untilAll, ids } = await setUp(t);
  const killed = start();
  const [ended, lost] = [usageEvent(), usageEvent({ outcome: 'lost' })];
  killed.admit(ended);
  killed.admit(lost);
  await new Promise<void>((resolve) => killed.emit(ended, resolve));
  await untilAll(killed);
  // Nothing of the first is stopped: its process is thought to be gone.
  for (let again = 0; again < 2; again += 1) {
    const next = start();
    await untilAll(next);
    t.same(await ids(), [ended.eventId, lost.eventId]);
  }
  const [, fields = []] = (await redis.xrange(stream, '-', '+')).at(-1) ?? [];
  t.equal(fields[fields.indexOf('outcome') + 1], 'lost');
});

/**
 * Benchmark of what a usage event costs a request: processor time of its note and its event in their files, and of its entry on the stream with
 * Redis' answer, over what the turns of the event loop cost by themselves. What Redis spends is its own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../../actors/identity/new-id.ts';
import type { EventOutlet } from '../../actors/events/event-outlet.ts';
import { createEventEmitter, type EventEmitter } from '../../actors/events/event-emitter.ts';
import type { UsageEvent } from '../../actors/events/usage-event.ts';
import { streamKey } from '../../config/streams.ts';
import { createFileAdmissionJournal } from '../../transports/process/file-admission-journal.ts';
import { createFileSpool } from '../../transports/process/file-spool.ts';
import { systemClock } from '../../transports/process/system-clock.ts';
import { connectRedis } from '../../transports/redis/connection/connect.ts';
import { createEventOutlet } from '../../transports/redis/streams/event-outlet.ts';
import { createJsonLog } from '../../transports/telemetry/json-log.ts';
import { createPrometheusMetrics } from '../../transports/telemetry/prometheus-metrics.ts';
import { UsageError } from '../command.ts';
import { textTable } from '../text-table.ts';

/** Requests that begin, and later end, in one turn of the event loop. */
const TOGETHER = [1, 4, 16, 64];
/** A gateway spends its time on more than events: Redis keeps up with it. */
const MOST_WAITING = 1000;

/** Arguments: URL of a Redis whose streams may be emptied, requests a round, rounds. */
export async function run([url, requests = '20000', rounds = '7']: readonly string[]): Promise<void> {
  const [count, times] = [Number(requests), Number(rounds)];
  if (url === undefined) throw new UsageError('bench events <redis url> [requests, 64 or more] [rounds]');
  if (!(Number.isInteger(count) && count >= 64 && Number.isInteger(times) && times > 0)) {
    throw new UsageError('Requests are whole numbers from 64 on, rounds from 1');
  }
  const folder = mkdtempSync(join(tmpdir(), 'vello-bench-'));
  const log = createJsonLog({ level: 'silent', write: () => undefined });
  const redis = await connectRedis({ url, use: 'command', name: 'vello-bench', log });
  const emitterTo = (name: string, outlet: EventOutlet) =>
    createEventEmitter({
      outlet,
      spool: createFileSpool(join(folder, name, 'events.spool'), log),
      journal: createFileAdmissionJournal(join(folder, name, 'admissions'), log),
      ...{ clock: systemClock, log, metrics: createPrometheusMetrics() },
    });
  const durable = emitterTo('durable', { send: async () => [] });
  const sent = emitterTo('sent', createEventOutlet(redis));
  const idle = idleSink();
  // Made once: to make them costs more than what is measured.
  const events = Array.from({ length: count }, exampleEvent);
  const raw: string[] = [];
  const rows: string[][] = [];
  try {
    durable.start();
    sent.start();
    for (const together of TOGETHER) {
      const prices: (readonly [number, number])[] = [];
      // Interleaved, so that what else the machine does falls on all alike. The first round only warms up.
      for (let round = 0; round <= times; round += 1) {
        const turns = await measure(idle, events, together);
        const [onDisk, onStream] = [await measure(durable, events, together), await measure(sent, events, together)];
        await redis.del(streamKey('transcribe'));
        if (round > 0) prices.push([onDisk - turns, onStream - turns]);
      }
      const [onDisk, onStream] = [prices.map(([price]) => price), prices.map(([, price]) => price)];
      rows.push([String(together), median(onDisk).toFixed(1), median(onStream).toFixed(1)]);
      raw.push(`${together} at once: ${onStream.map((micros) => micros.toFixed(1)).join(' ')}`);
    }
  } finally {
    await Promise.all([durable.stop(), sent.stop()]);
    redis.disconnect();
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(
    `${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}; µs of processor time a request, medians of ${times}`,
  );
  console.log(textTable(['at once', 'durable', 'durable and sent'], rows));
  console.log(raw.join('\n'));
}

type Sink = Pick<EventEmitter, 'admit' | 'emit' | 'waiting'>;

/** The turns alone. */
function idleSink(): Sink {
  let ends: (() => void)[] = [];
  const settle = () => {
    const settled = ends;
    ends = [];
    for (const end of settled) end();
  };
  return {
    admit: () => undefined,
    emit: (_, onDurable) => {
      if (ends.length === 0) setImmediate(settle);
      if (onDurable !== undefined) ends.push(onDurable);
    },
    waiting: 0,
  };
}

/** Microseconds of processor time that a request takes. */
async function measure(sink: Sink, events: readonly UsageEvent[], together: number): Promise<number> {
  const before = process.cpuUsage();
  for (let at = 0; at < events.length; at += together) {
    const group = events.slice(at, at + together);
    for (const event of group) sink.admit(event);
    await nextTurn();
    await whenAtMost(sink, MOST_WAITING);
    let left = group.length;
    await new Promise<void>((resolve) => {
      for (const event of group) {
        sink.emit(event, () => {
          left -= 1;
          if (left === 0) resolve();
        });
      }
    });
  }
  await whenAtMost(sink, 0);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / events.length;
}

async function whenAtMost(sink: Sink, waiting: number): Promise<void> {
  while (sink.waiting > waiting) await new Promise((resolve) => setTimeout(resolve, 2));
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const exampleEvent = (): UsageEvent => ({
  eventId: newId(),
  type: 'transcribe',
  requestId: newId(),
  sessionId: newId(),
  userId: newId(),
  deviceId: newId(),
  provider: 'openai',
  model: 'gpt-4o-mini-transcribe',
  keyId: 'settings',
  outcome: 'ok',
  status: 200,
  startedAtMs: 1_763_700_000_000,
  ttfbMs: 412,
  durationMs: 873,
  bytesIn: 183_211,
  bytesOut: 412,
  audioSeconds: 11.48,
  audioSource: 'header',
  usage: { type: 'tokens', input_tokens: 114, output_tokens: 31, total_tokens: 145 },
  attempts: 1,
});

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

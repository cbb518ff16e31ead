/**
 * Benchmark of what it costs to have each event durable before its answer ends: processor time of a request's note and event in their files,
 * beside the same emitter on memory. Both make the event's entry for the stream; Redis is left out, which is paid for anyway.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../../actors/identity/new-id.ts';
import type { AdmissionJournal } from '../../actors/events/admission-notes.ts';
import type { EventOutlet, EventSpool } from '../../actors/events/event-outlet.ts';
import { createEventEmitter, type EventEmitter } from '../../actors/events/event-emitter.ts';
import { flattenUsageEvent, type UsageEvent } from '../../actors/events/usage-event.ts';
import { createFileAdmissionJournal } from '../../transports/process/file-admission-journal.ts';
import { createFileSpool } from '../../transports/process/file-spool.ts';
import { systemClock } from '../../transports/process/system-clock.ts';
import { createJsonLog } from '../../transports/telemetry/json-log.ts';
import { createPrometheusMetrics } from '../../transports/telemetry/prometheus-metrics.ts';
import { UsageError } from '../command.ts';
import { textTable } from '../text-table.ts';

/** Requests that begin, and later end, in one turn of the event loop. */
const TOGETHER = [1, 4, 16, 64];

/** Arguments: requests a round, rounds. */
export async function run([requests = '20000', rounds = '7']: readonly string[]): Promise<void> {
  const [count, times] = [Number(requests), Number(rounds)];
  if (!(Number.isInteger(count) && count >= 64 && Number.isInteger(times) && times > 0)) {
    throw new UsageError('bench events [requests, 64 or more] [rounds]');
  }
  const folder = mkdtempSync(join(tmpdir(), 'vello-bench-'));
  const log = createJsonLog({ level: 'silent', write: () => undefined });
  let made = 0;
  const outlet: EventOutlet = {
    send: async (events) => {
      for (const event of events) made += flattenUsageEvent(event).length;
      return [];
    },
  };
  const emitterOn = (spool: EventSpool, journal: AdmissionJournal) =>
    createEventEmitter({ outlet, spool, journal, clock: systemClock, log, metrics: createPrometheusMetrics() });
  const onDisk = emitterOn(
    createFileSpool(join(folder, 'events.spool'), log),
    createFileAdmissionJournal(join(folder, 'admissions'), log),
  );
  const inMemory = emitterOn(memorySpool(), memoryJournal);
  const raw: string[] = [];
  const rows: string[][] = [];
  try {
    onDisk.start();
    inMemory.start();
    for (const together of TOGETHER) {
      const disk: number[] = [];
      const memory: number[] = [];
      // Interleaved, so that what else the machine does falls on both alike. The first round only warms up.
      for (let round = 0; round <= times; round += 1) {
        const spent = [await measure(inMemory, count, together), await measure(onDisk, count, together)] as const;
        if (round > 0) memory.push(spent[0]);
        if (round > 0) disk.push(spent[1]);
      }
      const price = disk.map((spent, round) => spent - (memory[round] ?? 0));
      rows.push([String(together), median(memory).toFixed(1), median(disk).toFixed(1), median(price).toFixed(1)]);
      raw.push(`${together} at once: ${price.map((micros) => micros.toFixed(1)).join(' ')}`);
    }
  } finally {
    await Promise.all([onDisk.stop(), inMemory.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(
    `${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}; µs of processor time a request, medians of ${times}`,
  );
  console.log(textTable(['at once', 'in memory', 'durable', 'the price'], rows));
  console.log(raw.join('\n'));
  if (made === 0) throw new Error('no entry was made');
}

/** Microseconds of processor time that a request takes. */
async function measure(emitter: EventEmitter, count: number, together: number): Promise<number> {
  const events = Array.from({ length: count }, exampleEvent);
  const before = process.cpuUsage();
  for (let at = 0; at < count; at += together) {
    const group = events.slice(at, at + together);
    for (const event of group) emitter.admit({ ...event, outcome: 'lost' });
    await nextTurn();
    let left = group.length;
    await new Promise<void>((resolve) => {
      for (const event of group) {
        emitter.emit(event, () => {
          left -= 1;
          if (left === 0) resolve();
        });
      }
    });
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
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

function memorySpool(): EventSpool {
  let events: UsageEvent[] = [];
  let peeked = 0;
  return {
    open: () => undefined,
    get waiting() {
      return events.length;
    },
    append: (added) => void events.push(...added),
    peek: (count) => {
      const first = events.slice(0, count);
      peeked = first.length;
      return first;
    },
    drop: () => {
      events = events.slice(peeked);
    },
    isSpent: false,
    noteProgress: () => undefined,
    holds: () => new Set(),
    close: () => undefined,
  };
}

const memoryJournal: AdmissionJournal = { open: () => [], note: () => undefined, close: () => undefined };

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/**
 * Entries of any content on the event streams: each is decoded to an event that means the same when written again, or refused by name;
 * a collector settles or buries every one of them, and its lines never stop.
 */
import { inspect } from 'node:util';
import t from 'tap';
import { eventFields, failedRuns, notBeforeMs } from '../../actors/intake/event-verdict.ts';
import type { JobsApi } from '../../actors/intake/jobs-api.ts';
import { decodeUsageEvent, MOST_AUDIO_SECONDS } from '../../actors/events/usage-event.ts';
import { VelloError } from '../../config/errors.ts';
import { collectorRole } from '../../supervisors/roles/collector.ts';
import { supervisorDefinition } from '../../supervisors/supervisor.ts';
import { createTestSystem } from '../fixtures/actor-system.ts';
import { chanceFrom, fuzzDeadline, fuzzMs, fuzzSeed, mutate, type Chance } from '../fixtures/fuzz-run.ts';
import { createMemoryEventStreams } from '../fixtures/memory-event-streams.ts';
import { pass } from '../fixtures/settled.ts';
import { fieldsOf, usageEventFields } from '../fixtures/usage-event.ts';

type Fields = Record<string, string>;

const VALUES = [
  ...['', ' ', '0', '-1', '1', '007', '1e999', 'NaN', 'Infinity', '9007199254740993', '99999999999999999999', '0x10'],
  ...['null', 'true', '{}', '[]', '[NaN]', '[1e999]', '{"a":', '"\\ud800"', '{"a":"\\u0000"}', '{"__proto__":{"v":1}}'],
  ...['\0', '\ud800', '\u202e', 'é'.repeat(300), 'x'.repeat(70_000), '['.repeat(50_000), '{"a":'.repeat(3_000)],
];
const NAMES = ['__proto__', 'constructor', 'toString', '', 'v ', 'V', 'attempt', 'not_before', 'error', 'origin_id'];

function anyEntry(chance: Chance): Fields {
  const fields: Fields = { ...usageEventFields(), usage: '{"input_tokens":3}' };
  const set = (name: string, value: string) =>
    Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true });
  for (let count = chance.below(5); count > 0; count -= 1) {
    const name = chance.next() < 0.8 ? chance.pick(Object.keys(fields)) : chance.pick(NAMES);
    const kind = chance.below(4);
    if (kind === 0) Reflect.deleteProperty(fields, name);
    else if (kind === 1)
      set(name, mutate(Buffer.from(Object.hasOwn(fields, name) ? (fields[name] ?? '') : ''), chance).toString('utf8'));
    else set(name, chance.pick(VALUES));
  }
  for (let extra = chance.next() < 0.02 ? 4_200 : 0; extra > 0; extra -= 1) set(`field${extra}`, 'x');
  return fields;
}

/** What is wrong with how the entry is read; undefined for nothing. */
function judge(fields: Fields): string | undefined {
  const runs = failedRuns(fields);
  if (!Number.isSafeInteger(runs) || runs < 0) return `failed runs ${runs}`;
  if (!Number.isFinite(notBeforeMs(fields))) return 'waits without end';
  try {
    const event = decodeUsageEvent(eventFields(fields));
    const numbers = [event.status, event.startedAtMs, event.durationMs, event.bytesIn, event.bytesOut, event.attempts];
    if (!numbers.every((each) => Number.isSafeInteger(each) && each >= 0)) return `numbers ${numbers.join()}`;
    if (!(event.audioSeconds >= 0 && event.audioSeconds <= MOST_AUDIO_SECONDS)) return `${event.audioSeconds} s`;
    const again = decodeUsageEvent(fieldsOf(event));
    return inspect(again) === inspect(event) ? undefined : `read again as ${inspect(again)}`;
  } catch (error) {
    return error instanceof VelloError && error.code === 'EVENT_MALFORMED' ? undefined : inspect(error);
  }
}

t.test(`entries of any content (seed ${fuzzSeed})`, fuzzDeadline, async (t) => {
  const seeds = chanceFrom(fuzzSeed);
  const until = Date.now() + fuzzMs;
  const faults: object[] = [];
  const counts = { entries: 0, settled: 0, refused: 0 };
  while (Date.now() < until && faults.length === 0) {
    const { clock, log, metrics, system } = createTestSystem();
    const streams = createMemoryEventStreams(clock);
    const dead: unknown[] = [];
    let settledHere = 0;
    const api: JobsApi = {
      addJobs: async (events) => {
        for (const event of events) {
          try {
            decodeUsageEvent(event);
          } catch {
            throw new VelloError('API_REJECTED');
          }
        }
        settledHere += events.length;
        return events.map(() => ({ kind: 'job', jobId: 'j', creditsDeducted: 1, duplicate: false }) as const);
      },
      recordDeadLetters: async (events) => void dead.push(...events),
    };
    const spec = collectorRole({ streams, api, metrics, consumer: 'a' });
    system.spawn('collector', supervisorDefinition(spec, { random: () => 0 }));
    let appended = 0;
    for (; appended < 60; appended += 1) {
      const seed = seeds.below(2 ** 32);
      const fields = anyEntry(chanceFrom(seed));
      const problem = judge(fields);
      if (problem !== undefined) faults.push({ seed, problem });
      streams.append(seeds.pick(['transcribe', 'process', 'dlq'] as const), fields);
    }
    // Longer than the longest wait of an event that may still be retried.
    await pass(clock, 200_000);
    const left = (['transcribe', 'process'] as const).flatMap((kind) => streams.entries(kind));
    const waiting = streams.entries('dlq').filter(({ fields }) => notBeforeMs(fields) <= clock.now());
    if (left.length > 0 || waiting.length > 0) faults.push({ left, waiting, log: log.lines.slice(-5) });
    const inDlq = streams.entries('dlq').length;
    if (settledHere + dead.length + inDlq !== appended)
      faults.push({ settledHere, dead: dead.length, inDlq, appended });
    counts.entries += appended;
    counts.settled += settledHere;
    counts.refused += dead.length;
    await system.stop();
  }
  t.strictSame(faults, []);
  t.ok(counts.settled > 0 && counts.refused > 0, JSON.stringify(counts));
  t.comment(JSON.stringify(counts));
});

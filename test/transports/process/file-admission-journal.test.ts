import { appendFileSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { v7 as uuidv7 } from 'uuid';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import { createFileAdmissionJournal } from '../../../transports/process/file-admission-journal.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { fieldsOf, usageEvent } from '../../fixtures/usage-event.ts';

function setUp(t: Test, path = join(temporaryFolder(t), 'admissions')) {
  const log = createMemoryLog();
  const journal = createFileAdmissionJournal(path, log);
  t.teardown(() => journal.close());
  return { path, journal, log };
}
/** What was rewritten stands in no order. */
const inOrder = (events: readonly UsageEvent[]) => [...events].sort((a, b) => a.eventId.localeCompare(b.eventId));
/** Events of requests of which nothing is known but that they began. */
const lost = (count: number): UsageEvent[] =>
  Array.from({ length: count }, () => {
    const { eventId, type, requestId, sessionId, provider, model, keyId, startedAtMs } = usageEvent();
    return {
      ...{ eventId, type, requestId, sessionId, userId: uuidv7(), provider, model, keyId, startedAtMs },
      ...{ outcome: 'lost', status: 0, durationMs: 0, bytesIn: 0, bytesOut: 0 },
      ...{ audioSeconds: 0, audioSource: 'none', attempts: 0 },
    };
  });

t.test('what was admitted and not ended is there for the next process, also after it has been rewritten', (t) => {
  const { path, journal } = setUp(t);
  t.same(journal.open(), []);
  const open = lost(3);
  const [first, ...others] = open;
  journal.note(open, []);
  for (let round = 0; round < 16_000; round += 1) {
    const passing = lost(1);
    journal.note(passing, []);
    journal.note([], [passing[0]?.eventId ?? '']);
  }
  journal.note([], [first?.eventId ?? '']);
  t.ok(statSync(path).size < 4_300_000);
  t.same(inOrder(setUp(t, path).journal.open()), inOrder(others));
  t.end();
});

t.test('with much under way the file is not written anew with every note', (t) => {
  const { path, journal } = setUp(t);
  journal.open();
  journal.note(lost(20_000), []);
  journal.note(lost(1), []);
  const before = statSync(path).ino;
  for (let round = 0; round < 100; round += 1) journal.note(lost(1), []);
  t.equal(statSync(path).ino, before);
  t.equal(setUp(t, path).journal.open().length, 20_101);
  t.end();
});

t.test('a note that was cut short by a crash is left out, those before it are not', (t) => {
  const { path, journal, log } = setUp(t);
  journal.open();
  const events = lost(2);
  journal.note(events.slice(0, 1), []);
  journal.note(events.slice(1), []);
  truncateSync(path, statSync(path).size - 5);
  const later = setUp(t, path);
  t.same(later.journal.open(), events.slice(0, 1));
  t.equal(later.log.lines.length, 1);
  const next = lost(1);
  later.journal.note(next, []);
  t.same(inOrder(setUp(t, path).journal.open()), inOrder([...events.slice(0, 1), ...next]));
  t.same(log.lines, []);
  t.end();
});

t.test('notes of earlier versions, which name their fields, are read', (t) => {
  const { path, journal } = setUp(t);
  const [event] = lost(1);
  if (event === undefined) throw new Error('none');
  appendFileSync(path, `+${JSON.stringify(fieldsOf(event))}\n`);
  t.same(journal.open(), [event]);
  t.end();
});

t.test('a note that fails is made up for by the next one', (t) => {
  const { path, journal } = setUp(t);
  const events = lost(2);
  t.throws(() => journal.note(events.slice(0, 1), []), 'it is not open yet');
  journal.open();
  journal.note(events.slice(1), []);
  t.same(inOrder(setUp(t, path).journal.open()), inOrder(events));
  t.equal(readFileSync(path, 'utf8').split('\n').length, 3);
  t.end();
});

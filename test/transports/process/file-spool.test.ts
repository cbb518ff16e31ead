import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t, { type Test } from 'tap';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import { createFileSpool } from '../../../transports/process/file-spool.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { fieldsOf, usageEvent } from '../../fixtures/usage-event.ts';

function setUp(t: Test, path = join(temporaryFolder(t), 'gateway', 'events.spool')) {
  const log = createMemoryLog();
  const spool = createFileSpool(path, log);
  spool.open();
  t.teardown(() => spool.close());
  return { path, spool, log };
}

const idsOf = (events: readonly UsageEvent[]) => events.map(({ eventId }) => eventId);

t.test('events come out in the order they went in, also for a process that starts later', (t) => {
  const { path, spool } = setUp(t);
  const events = Array.from({ length: 10 }, () => usageEvent({ result: 'zwei\nZeilen ✓' }));
  spool.append(events.slice(0, 4));
  spool.append(events.slice(4));
  t.equal(spool.waiting, 10);
  t.same(spool.peek(3), events.slice(0, 3));
  spool.drop();
  spool.noteProgress();
  const later = setUp(t, path);
  t.equal(later.spool.waiting, 7);
  t.same(later.spool.peek(100), events.slice(3));
  later.spool.drop();
  t.equal(later.spool.waiting, 0);
  later.spool.close();
  t.equal(statSync(path).size, 0);
  t.end();
});

t.test('the file is for its owner only: the texts of users are in it', (t) => {
  const { path } = setUp(t);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.end();
});

t.test('a line that a crash cut short is dropped, at whatever byte, and what follows is whole', (t) => {
  const events = [usageEvent(), usageEvent()];
  const { path, spool } = setUp(t);
  spool.append(events);
  const whole = readFileSync(path);
  const firstEnd = whole.indexOf('\n') + 1;
  rmSync(`${path}.damaged`, { force: true });
  for (const cut of [firstEnd, firstEnd + 1, whole.length - 2, whole.length - 1]) {
    writeFileSync(path, whole);
    truncateSync(path, cut);
    const later = setUp(t, path);
    t.same(later.spool.peek(10), [events[0]], `cut at ${cut} of ${whole.length}`);
    const next = usageEvent();
    later.spool.append([next]);
    t.same(later.spool.peek(10), [events[0], next]);
  }
  t.end();
});

t.test('a line without a checksum is set aside and said so, without its content', (t) => {
  const { path } = setUp(t);
  const event = usageEvent();
  appendFileSync(path, '{"secret":"text"}\n');
  const later = setUp(t, path);
  later.spool.append([event]);
  t.same(later.spool.peek(10), [event]);
  later.spool.drop();
  t.equal(later.spool.waiting, 0);
  t.notMatch(JSON.stringify(later.log.lines), /secret|text"/);
  t.end();
});

t.test('progress that was written only in part means sending again, never leaving out', (t) => {
  const { path, spool } = setUp(t);
  const events = [usageEvent(), usageEvent(), usageEvent()];
  spool.append(events);
  spool.peek(1);
  spool.drop();
  spool.noteProgress();
  for (const progress of ['', '12', '0000000000000', '9999999999999999\n']) {
    writeFileSync(`${path}.done`, progress);
    const later = setUp(t, path);
    t.same(later.spool.peek(10), events, JSON.stringify(progress));
  }
  t.end();
});

t.test('a text larger than one read comes back whole', (t) => {
  const { spool } = setUp(t);
  const event = usageEvent({ result: 'x'.repeat(3_000_000) });
  spool.append([event, usageEvent()]);
  t.same(spool.peek(10)[0], event);
  t.end();
});

t.test('a damaged line is set aside whole, never sent and never deleted; its neighbours are sent', (t) => {
  const { path, spool } = setUp(t);
  const events = Array.from({ length: 10 }, () => usageEvent({ audioSeconds: 1 }));
  spool.append(events);
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const damage: Readonly<Record<number, (line: string) => string>> = {
    2: (line) => line.replace(',1,"header"', ',9,"header"'),
    4: (line) => line.replace('"transcribe",', '"transcribe"x'),
    6: (line) => line.replace(/(\[")(.)/, (_, start: string, digit) => `${start}${digit === '0' ? '1' : '0'}`),
  };
  const damaged = lines.map((line, index) => damage[index]?.(line) ?? line);
  // The end of the ninth line is lost, and that of the last was never written.
  writeFileSync(path, `${damaged.slice(0, 9).join('\n')}\u000b${damaged[9]}\n${damaged[0]?.slice(0, 50)}`);
  const later = setUp(t, path);
  t.same(
    later.spool.peek(100).map(({ eventId }) => eventId),
    [0, 1, 3, 5, 7].map((index) => events[index]?.eventId),
  );
  later.spool.drop();
  const kept = readFileSync(`${path}.damaged`, 'utf8');
  for (const index of [2, 4, 6, 8, 9]) t.ok(kept.includes(damaged[index] ?? '-'), `line ${index + 1}`);
  t.equal(later.log.lines.filter(({ level }) => level === 'error').length, 5);
  t.equal(later.spool.waiting, 0);
  t.equal(statSync(`${path}.damaged`).mode & 0o777, 0o600);
  t.end();
});

t.test('lines of earlier versions, which name their fields, are sent like any other', (t) => {
  const { path, spool } = setUp(t);
  const events = [usageEvent({ result: 'Grüße', usage: { a: 1 } }), usageEvent()];
  const named = events.map((event) => JSON.stringify(fieldsOf(event)));
  appendFileSync(path, named.map((text) => `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`).join(''));
  spool.open();
  t.same(spool.peek(10), events);
  t.same([...spool.holds(new Set(events.map(({ eventId }) => eventId)))].length, 2);
  t.end();
});

t.test(
  'what was sent is known until its room is made, and what has been sent is forgotten from a certain size on',
  (t) => {
    const { path, spool } = setUp(t);
    const events = Array.from({ length: 10 }, () => usageEvent());
    const ids = events.map(({ eventId }) => eventId);
    spool.append(events);
    spool.peek(10);
    spool.drop();
    spool.noteProgress();
    t.same([...spool.holds(new Set([...ids, usageEvent().eventId]))], ids);
    t.equal(spool.isSpent, false);
    const large = usageEvent({ result: 'x'.repeat(300_000) });
    spool.append([large]);
    t.equal(spool.isSpent, false);
    spool.peek(1);
    spool.drop();
    t.equal(spool.isSpent, true);
    spool.noteProgress();
    t.equal(statSync(path).size, 0);
    t.equal(spool.holds(new Set([large.eventId])).size, 0);
    t.end();
  },
);

t.test('a spool that is never quite empty stays small, and loses nothing when it moves', (t) => {
  const { path, spool } = setUp(t);
  const large = () => usageEvent({ result: 'y'.repeat(900_000) });
  let last = large();
  spool.append([last]);
  for (let round = 0; round < 40; round += 1) {
    const next = large();
    spool.append([next]);
    t.same(spool.peek(1)[0]?.eventId, last.eventId);
    spool.drop();
    spool.noteProgress();
    last = next;
  }
  t.ok(statSync(path).size < 18_000_000);
  const later = setUp(t, path);
  t.same(
    later.spool.peek(9).map(({ eventId }) => eventId),
    [last.eventId],
  );
  t.end();
});

t.test('opening in vain, however often, leaves no descriptor behind', (t) => {
  const path = join(temporaryFolder(t), 'events.spool');
  // A folder where the progress should be.
  mkdirSync(`${path}.done`);
  const spool = createFileSpool(path, createMemoryLog());
  t.throws(() => spool.open());
  const before = readdirSync('/proc/self/fd').length;
  for (let again = 0; again < 20; again += 1) t.throws(() => spool.open());
  t.equal(readdirSync('/proc/self/fd').length, before);
  t.end();
});

t.test('progress that belongs to a file before this one leaves nothing out', (t) => {
  const { path, spool } = setUp(t);
  // As if the process had died between emptying the file and noting it.
  writeFileSync(`${path}.done`, '0000000000000500\n');
  spool.open();
  const events = Array.from({ length: 5 }, () => usageEvent());
  spool.append(events);
  t.same(setUp(t, path).spool.peek(9), events);
  t.end();
});

t.test('more events than are kept beside the file come out once each, in order', (t) => {
  const { spool } = setUp(t);
  const events = Array.from({ length: 5000 }, () => usageEvent());
  spool.append(events);
  const late = [usageEvent(), usageEvent()];
  spool.append(late);
  const seen: string[] = [];
  for (let round = 0; spool.waiting !== 0 && round < 20; round += 1) {
    seen.push(...spool.peek(300).map(({ eventId }) => eventId));
    spool.drop();
  }
  t.same(
    seen,
    [...events, ...late].map(({ eventId }) => eventId),
  );
  const next = usageEvent();
  spool.append([next]);
  t.same(spool.peek(9), [next], 'what was sent does not come back');
  t.equal(spool.waiting, 1);
  t.end();
});

t.test('whatever goes in and out in turns, what waits is what was not dropped, in order', (t) => {
  const { path, spool } = setUp(t);
  const waiting: string[] = [];
  let random = 7;
  const below = (end: number) => (random = (random * 48_271) % 2_147_483_647) % end;
  for (let round = 0; round < 140; round += 1) {
    const added = Array.from({ length: below(round % 100 < 30 ? 700 : 40) }, () => usageEvent());
    const count = 1 + below(300);
    t.same(idsOf(spool.peek(count)), waiting.slice(0, count));
    const sent = waiting.length;
    // What arrives while a batch is on its way.
    spool.append(added);
    waiting.push(...idsOf(added));
    if (below(4) === 0) spool.noteProgress();
    if (below(5) > 0) {
      spool.drop();
      waiting.splice(0, Math.min(count, sent));
    }
    if (below(100) === 0) spool.open();
    t.equal(spool.waiting, waiting.length);
  }
  spool.noteProgress();
  t.same(idsOf(setUp(t, path).spool.peek(1e6)), waiting);
  t.end();
});

t.test('a spool that moves while a batch is on its way drops that batch and nothing else', (t) => {
  const { path, spool } = setUp(t);
  for (let round = 0; round < 20; round += 1) {
    spool.append([usageEvent({ result: 'y'.repeat(900_000) })]);
    spool.peek(1);
    spool.drop();
  }
  const events = [usageEvent(), usageEvent(), usageEvent()];
  spool.append(events);
  spool.peek(1);
  spool.noteProgress();
  t.ok(statSync(path).size < 10_000, 'it moved');
  spool.drop();
  t.same(spool.peek(9), events.slice(1));
  spool.noteProgress();
  t.same(setUp(t, path).spool.peek(9), events.slice(1));
  t.end();
});

t.test('where a spool cannot move, what was sent is noted all the same, and the fault is said once', (t) => {
  const { path, spool, log } = setUp(t);
  // Where the new file should be.
  mkdirSync(`${path}.new`);
  const events = [usageEvent({ result: 'y'.repeat(17_000_000) }), usageEvent()];
  spool.append(events);
  spool.peek(1);
  spool.drop();
  spool.noteProgress();
  spool.noteProgress();
  t.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
  t.same(setUp(t, path).spool.peek(9), events.slice(1));
  rmdirSync(`${path}.new`);
  spool.noteProgress();
  t.ok(statSync(path).size < 10_000, 'it moves once it can');
  t.same(spool.peek(9), events.slice(1));
  t.end();
});

t.test('a spool that could not be opened to its end is shut: nothing waits in it, and it opens when it can', (t) => {
  const { path, spool } = setUp(t);
  const events = [usageEvent(), usageEvent()];
  spool.append(events);
  spool.close();
  appendFileSync(path, 'cut short');
  const faults: readonly (readonly [string, () => void, () => void])[] = [
    ['the torn line cannot be set aside', () => mkdirSync(`${path}.damaged`), () => rmdirSync(`${path}.damaged`)],
    ['progress cannot be written', () => symlinkSync('/dev/full', `${path}.done`), () => rmSync(`${path}.done`)],
  ];
  for (const [title, breakIt, mendIt] of faults) {
    rmSync(`${path}.done`, { force: true });
    breakIt();
    const before = readdirSync('/proc/self/fd').length;
    t.throws(() => spool.open(), title);
    t.equal(spool.waiting, 0);
    t.throws(() => spool.peek(1), /not open/);
    t.equal(readdirSync('/proc/self/fd').length, before, 'no descriptor stays behind');
    mendIt();
  }
  spool.open();
  t.same(spool.peek(9), events);
  t.end();
});

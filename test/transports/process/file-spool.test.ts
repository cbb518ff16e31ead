import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createFileSpool } from '../../../transports/process/file-spool.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { usageEvent } from '../../fixtures/usage-event.ts';

async function setUp(t: Test, path = join(temporaryFolder(t), 'gateway', 'events.spool')) {
  const log = createMemoryLog();
  const spool = createFileSpool(path, log);
  await spool.open();
  t.teardown(() => spool.close());
  return { path, spool, log };
}

t.test('events come out in the order they went in, also for a process that starts later', async (t) => {
  const { path, spool } = await setUp(t);
  const events = Array.from({ length: 10 }, () => usageEvent({ result: 'zwei\nZeilen ✓' }));
  await spool.append(events.slice(0, 4));
  await spool.append(events.slice(4));
  t.equal(spool.waiting, 10);
  t.same(await spool.peek(3), events.slice(0, 3));
  await spool.drop();
  const later = await setUp(t, path);
  t.equal(later.spool.waiting, 7);
  t.same(await later.spool.peek(100), events.slice(3));
  await later.spool.drop();
  t.equal(later.spool.waiting, 0);
  t.equal(statSync(path).size, 0);
});

t.test('the file is for its owner only: the texts of users are in it', async (t) => {
  const { path } = await setUp(t);
  t.equal(statSync(path).mode & 0o777, 0o600);
});

t.test('a line that a crash cut short is dropped, at whatever byte, and what follows is whole', async (t) => {
  const events = [usageEvent(), usageEvent()];
  const { path, spool } = await setUp(t);
  await spool.append(events);
  const whole = readFileSync(path);
  const firstEnd = whole.indexOf('\n') + 1;
  for (const cut of [firstEnd, firstEnd + 1, whole.length - 2, whole.length - 1]) {
    writeFileSync(path, whole);
    truncateSync(path, cut);
    const later = await setUp(t, path);
    t.same(await later.spool.peek(10), [events[0]], `cut at ${cut} of ${whole.length}`);
    const next = usageEvent();
    await later.spool.append([next]);
    t.same(await later.spool.peek(10), [events[0], next]);
  }
});

t.test('a line that cannot be read is passed over and said so, without its content', async (t) => {
  const { path, spool } = await setUp(t);
  const event = usageEvent();
  appendFileSync(path, '{"secret":"text"}\n');
  const later = await setUp(t, path);
  await later.spool.append([event]);
  t.same(await later.spool.peek(10), [event]);
  await later.spool.drop();
  t.equal(later.spool.waiting, 0);
  t.notMatch(JSON.stringify(later.log.lines), /secret|text"/);
  await spool.close();
});

t.test('progress that was written only in part means sending again, never leaving out', async (t) => {
  const { path, spool } = await setUp(t);
  const events = [usageEvent(), usageEvent(), usageEvent()];
  await spool.append(events);
  await spool.peek(1);
  await spool.drop();
  for (const progress of ['', '12', '0000000000000', '9999999999999999\n']) {
    writeFileSync(`${path}.done`, progress);
    const later = await setUp(t, path);
    t.same(await later.spool.peek(10), events, JSON.stringify(progress));
  }
});

t.test('a text larger than one read comes back whole', async (t) => {
  const { spool } = await setUp(t);
  const event = usageEvent({ result: 'x'.repeat(3_000_000) });
  await spool.append([event, usageEvent()]);
  t.same((await spool.peek(10))[0], event);
});

import t from 'tap';
import { createAnnouncedChanges } from '../../../../transports/postgres/identity/announced-changes.ts';
import {
  createSystemPrompts,
  listPrompts,
  readPromptHistory,
  rollBackPrompt,
  setPrompt,
} from '../../../../transports/postgres/prompts/system-prompts.ts';
import { createMigratedDatabase } from '../../../fixtures/migrated-database.ts';

const { operator: sql, system, admin } = await createMigratedDatabase(t);
const by = { operator: 'ann', reason: 'because' };

t.test('each change is a version, and what is said already is none', async (t) => {
  t.strictSame(await setPrompt(sql, { name: 'a', text: 'one', ...by }), { version: 1, isNew: true });
  t.strictSame(await setPrompt(sql, { name: 'a', text: 'one', ...by }), { version: 1, isNew: false });
  t.strictSame(await setPrompt(sql, { name: 'a', text: 'two', ...by }), { version: 2, isNew: true });
  t.equal(await rollBackPrompt(sql, { name: 'a', restores: 1, ...by, reason: 'worse' }), 3);
  t.equal(await rollBackPrompt(sql, { name: 'a', restores: 9, ...by }), undefined);
  t.equal(await rollBackPrompt(sql, { name: 'b', restores: 1, ...by }), undefined);
  t.match(await readPromptHistory(sql, 'a'), [
    { version: 3, text: 'one', author: 'ann', reason: 'worse', restores: 1 },
    { version: 2, text: 'two', author: 'ann', reason: 'because', restores: null },
    { version: 1, text: 'one', restores: null },
  ]);
  t.same(await readPromptHistory(sql, 'b'), []);
  t.match(await admin`select operator, action, target, detail from audit_log order by created_at`, [
    { operator: 'ann', action: 'prompts set', target: 'a', detail: { version: 1, reason: 'because' } },
    { action: 'prompts set', detail: { version: 2 } },
    { action: 'prompts rollback', target: 'a', detail: { version: 3, restores: 1, reason: 'worse' } },
  ]);
});

t.test('the newest of each name is what is listed and mirrored', async (t) => {
  await setPrompt(sql, { name: 'b', text: 'other', ...by });
  t.match(await listPrompts(sql), [
    { name: 'a', version: 3 },
    { name: 'b', version: 1 },
  ]);
  const [a, b] = await createSystemPrompts(system).newest();
  t.match(a, { name: 'a', version: 3, text: 'one', madeAtMs: Number });
  t.match(b, { name: 'b', version: 1, text: 'other' });
});

t.test('versions that are made at once follow each other, in number and in time', async (t) => {
  const texts = Array.from({ length: 8 }, (_, n) => `text ${n}`);
  const made = await Promise.all(texts.map((text) => setPrompt(sql, { name: 'c', text, ...by })));
  t.strictSame(made.map(({ version }) => version).sort(), [1, 2, 3, 4, 5, 6, 7, 8]);
  const times = (await readPromptHistory(sql, 'c')).map(({ at }) => at.getTime());
  t.ok(
    times.every((at, n) => n === 0 || at < (times[n - 1] ?? 0)),
    'also in milliseconds',
  );
});

t.test('nobody changes what was said', async (t) => {
  for (const statement of [
    "update system_prompts set body = 'x'",
    'delete from system_prompts',
    'truncate system_prompts',
  ]) {
    await t.rejects(admin.unsafe(statement), /append-only/, statement);
  }
  await t.rejects(system`insert into system_prompts (name) values ('x')`, /permission denied/);
});

t.test('every api process hears of a change with its commit', async (t) => {
  const heard: unknown[] = [];
  let wake = () => undefined as unknown;
  const stop = await createAnnouncedChanges(system).follow((table) => {
    heard.push(table);
    wake();
  });
  await setPrompt(sql, { name: 'd', text: 'new', ...by });
  while (!heard.includes('system_prompts')) await new Promise((resolve) => (wake = () => resolve(undefined)));
  await stop();
  t.ok(heard.includes('system_prompts'));
});

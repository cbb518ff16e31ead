import t from 'tap';
import type { LiveActor } from '../../../actors/kernel/kernel.ts';
import { promptsFollower, type PromptSource, type PromptTable } from '../../../actors/prompts/prompts-follower.ts';
import type { SystemPrompt } from '../../../actors/prompts/system-prompt.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

const prompt = (name: string, version: number): SystemPrompt => ({ name, version, text: 't', madeAtMs: version });

t.test('looks at once and each second, and keeps what it has while the store is away', async (t) => {
  const { system, clock, log } = createTestSystem();
  const table: PromptTable = new Map();
  let answer: () => readonly SystemPrompt[] = () => {
    throw new Error('away');
  };
  let looks = 0;
  const source: PromptSource = {
    newerThan: async (known) => {
      t.equal(known, table);
      looks += 1;
      return answer();
    },
  };
  system.spawn('prompts', promptsFollower(table, source));
  await settled();
  t.equal(looks, 1);
  t.match(system.snapshot().tree, [{ facts: { prompts: 0, connected: false } }]);
  answer = () => [prompt('a', 1), prompt('b', 1)];
  await pass(clock, 999);
  t.equal(looks, 1);
  await pass(clock, 1);
  t.strictSame([...table.keys()], ['a', 'b']);
  t.match(system.snapshot().tree, [{ type: 'prompts-follower', facts: { prompts: 2, connected: true } }]);
  answer = () => {
    throw new Error('away again');
  };
  await pass(clock, 3_000);
  t.equal(table.size, 2);
  t.match(system.snapshot().tree, [{ facts: { connected: false } }]);
  const warnings = log.lines.filter(({ level }) => level === 'warn');
  t.match(
    warnings,
    [{ message: 'the prompts cannot be followed', fields: { error: 'Error: away again' } }],
    'said once',
  );
  answer = () => [prompt('a', 2)];
  await pass(clock, 1_000);
  t.equal(table.get('a')?.version, 2);
  await system.stop();
});

t.test('is ready once it has read, and stays so', async (t) => {
  let isAway = true;
  const source: PromptSource = {
    newerThan: async () => {
      if (isAway) throw new Error('away');
      return [];
    },
  };
  const { system, clock } = createTestSystem();
  system.spawn('prompts', promptsFollower(new Map(), source));
  await settled();
  const isReady = () => (system.resolve('prompts') as LiveActor | undefined)?.behaviour?.ready?.();
  t.equal(isReady(), false);
  isAway = false;
  await pass(clock, 1_000);
  t.equal(isReady(), true);
  isAway = true;
  await pass(clock, 1_000);
  t.equal(isReady(), true);
  await system.stop();
});

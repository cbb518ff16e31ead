import t from 'tap';
import type { AnnouncedTable } from '../../../actors/ports/announced-changes.ts';
import { promptMirror } from '../../../actors/prompts/prompt-mirror.ts';
import type { SystemPrompt } from '../../../actors/prompts/system-prompt.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

t.test(
  'mirrors at its start, at each change of the prompts, and every half minute, whatever failed before',
  async (t) => {
    const { system, clock, log } = createTestSystem();
    let change = (_: AnnouncedTable | undefined): void => undefined;
    const did: string[] = [];
    const changes = {
      follow: async (changed: typeof change) => {
        change = changed;
        return async () => void did.push('stopped');
      },
    };
    const newest: readonly SystemPrompt[] = [{ name: 'a', version: 1, text: 't', madeAtMs: 1 }];
    let isAway = false;
    const shelf = {
      put: async (prompts: readonly SystemPrompt[]) => {
        t.equal(prompts, newest);
        if (isAway) throw new Error('away');
        did.push('put');
      },
    };
    system.spawn('mirror', promptMirror({ changes, prompts: { newest: async () => newest }, shelf }));
    await settled();
    t.strictSame(did.splice(0), ['put']);
    change('signing_keys');
    await settled();
    t.strictSame(did.splice(0), []);
    change('system_prompts');
    change(undefined);
    await settled();
    t.strictSame(did.splice(0), ['put', 'put']);
    t.match(system.snapshot().tree, [{ type: 'prompt-mirror', facts: { prompts: 1, failed: false } }]);
    isAway = true;
    await pass(clock, 60_000);
    t.match(system.snapshot().tree, [{ facts: { failed: true } }]);
    t.equal(log.lines.filter(({ level }) => level === 'warn').length, 1);
    isAway = false;
    await pass(clock, 30_000);
    t.strictSame(did.splice(0), ['put']);
    t.match(system.snapshot().tree, [{ facts: { failed: false } }]);
    isAway = true;
    await pass(clock, 30_000);
    t.equal(log.lines.filter(({ level }) => level === 'warn').length, 2, 'each outage is told once');
    await system.stop();
    t.strictSame(did, ['stopped']);
  },
);

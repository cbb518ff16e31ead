import t from 'tap';
import type { ConsumerLine } from '../../../actors/intake/consumer-line.ts';
import { streamJanitor } from '../../../actors/intake/stream-janitor.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { pass } from '../../fixtures/settled.ts';

t.test('lines are swept as often as they are told, and silent consumers forgotten after an hour', async (t) => {
  const { system, clock } = createTestSystem();
  const did: string[] = [];
  const line = {
    reader: { tell: ({ type }: { type: string }) => void did.push(type) },
    stream: { forgetConsumers: async (silentMs: number) => (did.push(`forget ${silentMs}`), 2) },
  } as unknown as ConsumerLine;
  const closed = { reader: undefined, stream: undefined } as unknown as ConsumerLine;
  system.spawn('janitor', streamJanitor([closed, line], 250_000));
  await pass(clock, 249_999);
  t.strictSame(did, []);
  await pass(clock, 1);
  t.strictSame(did, ['sweep']);
  await pass(clock, 349_999);
  t.strictSame(did, ['sweep', 'sweep']);
  await pass(clock, 1);
  t.strictSame(did, ['sweep', 'sweep', 'forget 3600000']);
  t.match(system.snapshot().tree, [{ type: 'stream-janitor', facts: { forgotten: 2 } }]);
  await system.stop();
});

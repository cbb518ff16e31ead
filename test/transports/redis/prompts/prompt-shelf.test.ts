import t from 'tap';
import type { SystemPrompt } from '../../../../actors/prompts/system-prompt.ts';
import { connectRedis } from '../../../../transports/redis/connection/connect.ts';
import { createPromptShelf } from '../../../../transports/redis/prompts/prompt-shelf.ts';
import { startRedis } from '../../../fixtures/redis.ts';
import { createMemoryLog } from '../../../fixtures/silent.ts';

const server = await startRedis(t);
const redis = await connectRedis({ url: server.url, use: 'command', name: 'test', log: createMemoryLog() });
t.teardown(() => redis.disconnect());
const shelf = createPromptShelf(redis);
t.beforeEach(async () => {
  await redis.flushall();
});

const prompt = (name: string, version: number, madeAtMs: number): SystemPrompt => ({
  name,
  version,
  text: `text ${version} of "${name}" ü`,
  madeAtMs,
});
const byName = (...prompts: readonly SystemPrompt[]) => new Map(prompts.map((one) => [one.name, one]));

t.test('what is put is found by whoever does not have it', async (t) => {
  t.strictSame(await shelf.newerThan(new Map()), []);
  const [a, b] = [prompt('a', 1, 1_000), prompt('b', 3, 2_000)];
  await shelf.put([a, b]);
  t.strictSame(byName(...(await shelf.newerThan(new Map()))), byName(a, b));
  t.strictSame(await shelf.newerThan(byName(a)), [b]);
  t.strictSame(await shelf.newerThan(byName(a, b)), []);
  const later = prompt('a', 2, 3_000);
  await shelf.put([later, b]);
  t.strictSame(await shelf.newerThan(byName(a, b)), [later]);
});

t.test('an older text neither replaces a later one nor is taken for one, whatever its version', async (t) => {
  const later = prompt('a', 2, 2_000);
  await shelf.put([later]);
  await shelf.put([prompt('a', 9, 1_999)]);
  t.strictSame(await shelf.newerThan(new Map()), [later]);
  t.strictSame(await shelf.newerThan(byName(prompt('a', 1, 2_001))), []);
});

t.test('two who mirror at once leave the later text, in whichever order they come', async (t) => {
  const rounds = Array.from({ length: 20 }, (_, n) => [prompt(`p${n}`, 1, 1), prompt(`p${n}`, 2, 2)] as const);
  await Promise.all(
    rounds.flatMap(([one, two], n) => (n % 2 ? [one, two] : [two, one]).map((each) => shelf.put([each]))),
  );
  t.strictSame(byName(...(await shelf.newerThan(new Map()))), byName(...rounds.map(([, two]) => two)));
});

t.test('what lost its data is filled again, and what cannot be read is passed over', async (t) => {
  const a = prompt('a', 1, 1_000);
  await shelf.put([a]);
  await redis.flushall();
  await shelf.put([a]);
  await redis.hset('vello:prompts', 'b', '5', 'c', '5', 'd', '5');
  await redis.hset('vello:prompts:texts', 'b', '{', 'c', '["x",1,"t"]');
  t.strictSame(await shelf.newerThan(new Map()), [a]);
});

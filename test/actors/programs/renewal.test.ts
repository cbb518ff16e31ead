import t from 'tap';
import type { GatewayProcessMessage } from '../../../actors/programs/gateway-process.ts';
import { renewalActor, type Renewals } from '../../../actors/programs/renewal.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { settled } from '../../fixtures/settled.ts';

async function run(problems: Readonly<Record<string, string>> = {}) {
  const { system, log } = createTestSystem();
  const renewed: string[] = [];
  const owed = { is: false };
  const said: Renewals[] = [];
  for (const id of ['one', 'two', 'three']) {
    system.spawn(
      id,
      actor<GatewayProcessMessage>((message) => {
        if (message.type !== 'renew') return;
        renewed.push(id);
        message.reply.ok(problems[id]);
      }),
    );
  }
  const parts = { paths: ['one', 'two', 'three'], graceMs: 1000, isOwed: () => owed.is };
  const renewal = system.spawn(
    'renewal',
    renewalActor({ ...parts, resolve: (path) => system.resolve(path), onChange: (now) => void said.push(now) }),
  );
  const round = async () => {
    renewal.tell({ type: 'renew-all' });
    await settled(20);
  };
  await settled();
  return { system, log, renewed, said, owed, round };
}

t.test('one after the other is replaced, and it is said when a round begins and ends', async (t) => {
  const { renewed, said, round } = await run();
  t.strictSame(said.splice(0), [{ begun: 0, ended: 0 }]);
  await round();
  t.strictSame(renewed.splice(0), ['one', 'two', 'three']);
  t.strictSame(said.splice(0), [
    { begun: 1, ended: 0 },
    { begun: 1, ended: 1 },
  ]);
  await round();
  t.strictSame(said.at(-1), { begun: 2, ended: 2 });
});

t.test('a round stops at the first that cannot be replaced', async (t) => {
  const { renewed, said, log, round } = await run({ two: 'the new process did not become ready' });
  await round();
  t.strictSame(renewed, ['one', 'two']);
  t.strictSame(said.at(-1), { begun: 1, ended: 1, problem: 'two: the new process did not become ready' });
  t.match(log.lines.at(-1), { level: 'error', message: 'the gateway processes were not all replaced' });
});

t.test('one that does not run ends a round as well', async (t) => {
  const { system, said, round } = await run();
  const gone = system.resolve('one') as unknown as { kill(why: string): void };
  gone.kill('test');
  await settled();
  await round();
  t.strictSame(said.at(-1), { begun: 1, ended: 1, problem: 'one is not running' });
});

t.test('where the last to end left something, one more is started to find it', async (t) => {
  const { renewed, owed, round } = await run();
  owed.is = true;
  await round();
  t.strictSame(renewed, ['one', 'two', 'three', 'one']);
});

/** How outcomes become durable, on a stream that notes what it is asked. */
import t from 'tap';
import { createConsumerLine, type SettlerMessage } from '../../../actors/intake/consumer-line.ts';
import { streamSettler } from '../../../actors/intake/stream-settler.ts';
import type { EntryMove, EventStream } from '../../../actors/intake/event-stream.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

async function createSettling() {
  const test = createTestSystem();
  const line = createConsumerLine('process', 'me', { leaseMs: 10_000 });
  const did: string[] = [];
  const answers = {
    settle: async (): Promise<readonly string[]> => [],
    move: async (): Promise<readonly string[]> => [],
    renew: async (): Promise<void> => undefined,
    release: async (): Promise<number> => 0,
  };
  const idsOf = (moves: readonly EntryMove[]) => moves.map(({ id }) => id).join(' ');
  const stream = {
    kind: 'process',
    settle: (consumer: string, ids: readonly string[]) => {
      did.push(`settle ${consumer}: ${ids.join(' ')}`);
      return answers.settle();
    },
    move: (consumer: string, to: string, moves: readonly EntryMove[]) => {
      did.push(`move ${consumer} ${to}: ${idsOf(moves)}`);
      return answers.move();
    },
    renew: (consumer: string, idleMs: number) => {
      did.push(`renew ${consumer} ${idleMs}`);
      return answers.renew();
    },
    release: (consumer: string) => {
      did.push(`release ${consumer}`);
      return answers.release();
    },
    close: () => void did.push('close'),
  } as unknown as EventStream;
  const opened: string[] = [];
  const streams = { open: async (kind: string) => (opened.push(kind), stream) };
  const ref = test.system.spawn('settler', streamSettler(line, { streams, metrics: test.metrics }));
  await settled();
  const answered: string[] = [];
  const outcome = (done: string): SettlerMessage => ({
    type: 'outcome',
    done: [done],
    deferred: [{ id: `${done}-later`, attempt: 1, error: 'X', delayMs: 5000 }],
    abandoned: [{ id: `${done}-never`, attempt: 4, error: 'X' }],
    reply: {
      ok: () => void answered.push(`${done} ok`),
      fail: (error) => void answered.push(`${done} ${error.message}`),
    },
  });
  const lost = () => test.metrics.value('vello_events_total', { stream: 'process', outcome: 'lost' });
  return { ...test, line, ref, stream, did, opened, answers, outcome, answered, lost };
}

t.test('opens the stream of its line, for the others to use, and takes it away when it ends', async (t) => {
  const { line, ref, stream, opened, did, system, log } = await createSettling();
  t.strictSame(opened, ['process']);
  t.equal(line.stream, stream);
  t.equal(line.settler, ref);
  await system.stop();
  t.strictSame(did, ['release me', 'close']);
  t.strictSame([line.stream, line.settler], [undefined, undefined]);
  t.strictSame(log.lines, []);
});

t.test('settles what came together in one go, and answers each when it is durable', async (t) => {
  const { ref, did, outcome, answers, answered, lost, log, system } = await createSettling();
  let commit: (() => void) | undefined;
  answers.settle = () => new Promise((resolve) => (commit = () => resolve([])));
  ref.tell(outcome('a'));
  ref.tell(outcome('b'));
  await settled();
  t.strictSame(did, ['settle me: a b']);
  t.strictSame(answered, []);
  ref.tell(outcome('c'));
  commit?.();
  await settled();
  t.strictSame(did.slice(1), ['move me dlq: a-later b-later', 'move me dead: a-never b-never', 'settle me: c']);
  t.strictSame(answered, ['a ok', 'b ok']);
  commit?.();
  await settled();
  t.strictSame(answered, ['a ok', 'b ok', 'c ok'], 'what was settled is not settled again');
  t.equal(lost(), 0);
  t.strictSame(log.lines, []);
  await system.stop();
});

t.test('reports entries that another consumer had claimed', async (t) => {
  const { ref, outcome, answers, answered, lost, log, system } = await createSettling();
  answers.settle = async () => ['a'];
  answers.move = async () => ['a-later'];
  ref.tell(outcome('a'));
  await settled();
  t.strictSame(answered, ['a ok'], 'they are settled by the other');
  t.equal(lost(), 3);
  t.match(log.lines, [{ level: 'warn', fields: { stream: 'process', lost: ['a', 'a-later', 'a-later'] } }]);
  await system.stop();
});

for (const failure of [new Error('away'), 'away' as unknown as Error]) {
  t.test(`where the store fails with ${typeof failure}, everybody hears of it and the line ends`, async (t) => {
    const { ref, line, outcome, answers, answered, system } = await createSettling();
    answers.settle = async () => Promise.reject(failure);
    ref.tell(outcome('a'));
    ref.tell(outcome('b'));
    await settled();
    t.strictSame(answered, ['a away', 'b away']);
    t.equal(line.settler, undefined);
    await system.stop();
  });
}

t.test('renews five times in a lease what was not touched for a tenth of it', async (t) => {
  const { did, clock, system } = await createSettling();
  await pass(clock, 1999);
  t.strictSame(did, []);
  await pass(clock, 1);
  t.strictSame(did, ['renew me 1000']);
  await pass(clock, 8000);
  t.equal(did.length, 5);
  await system.stop();
});

t.test('whoever waits when the line ends hears of it, and what is left is released at once', async (t) => {
  const { ref, outcome, answers, answered, did, log, system } = await createSettling();
  answers.renew = async () => Promise.reject(new Error('away'));
  answers.release = async () => 2;
  ref.tell(outcome('a'));
  ref.tell({ type: 'renew' });
  await settled();
  t.strictSame(answered, ['a the line is ending']);
  t.strictSame(did, ['renew me 1000', 'release me', 'close']);
  t.ok(
    log.lines.some(({ level, fields }) => level === 'info' && fields['released'] === 2 && fields['exit'] === 'crashed'),
  );
  await system.stop();
});

t.test('what cannot be released is left to its lease', async (t) => {
  const { line, answers, did, log, system } = await createSettling();
  answers.release = async () => Promise.reject(new Error('away'));
  await system.stop();
  t.strictSame(did, ['release me', 'close']);
  t.match(log.lines, [{ level: 'warn', fields: { stream: 'process', error: { message: 'away' } } }]);
  t.equal(line.stream, undefined);
});

t.test('shows how many outcomes wait', async (t) => {
  const { system } = await createSettling();
  t.strictSame(system.snapshotOf('settler')?.facts, { stream: 'process', waiting: 0 });
  await system.stop();
});

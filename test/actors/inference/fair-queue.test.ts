import t from 'tap';
import { createFairQueue, type FairEntry } from '../../../actors/inference/fair-queue.ts';

const entry = (caller: string, leftSeconds: number, cameMs = 0): FairEntry => ({
  caller,
  leftSeconds,
  dueMs: cameMs + leftSeconds * 1000,
});

t.test('takes of one caller what is due first: the shorter, unless the longer waited long enough', async (t) => {
  const queue = createFairQueue();
  const [long, short, late] = [entry('a', 30), entry('a', 5), entry('a', 5, 40_000)];
  for (const each of [long, short, late]) queue.enter(each);
  t.equal(queue.choose([long, short, late]), short);
  t.equal(queue.choose([late, long]), long);
});

t.test('gives two callers the same seconds, however they cut them', async (t) => {
  const queue = createFairQueue();
  const served = { a: 0, b: 0 };
  const many = Array.from({ length: 40 }, () => entry('a', 5));
  const long = entry('b', 3000);
  for (const each of [...many, long]) queue.enter(each);
  for (let turn = 0; turn < 30; turn++) {
    const chosen = queue.choose([long, ...many]);
    if (chosen === undefined) break;
    const seconds = Math.min(20, chosen.leftSeconds);
    queue.settle(chosen, seconds);
    served[chosen.caller === 'a' ? 'a' : 'b'] += seconds;
    if (chosen !== long) {
      many.splice(many.indexOf(chosen), 1);
      queue.leave(chosen);
    }
  }
  t.ok(Math.abs(served.a - served.b) <= 30, JSON.stringify(served));
});

t.test('lets nobody save up turns by staying away, nor lose them by having come early', async (t) => {
  const queue = createFairQueue();
  const early = entry('early', 1000);
  queue.enter(early);
  for (let turn = 0; turn < 10; turn++) {
    queue.choose([early]);
    queue.settle(early, 30);
  }
  const late = [entry('late', 30), entry('late', 30), entry('late', 30)];
  for (const each of late) queue.enter(each);
  const order: string[] = [];
  for (let turn = 0; turn < 4; turn++) {
    const chosen = queue.choose([early, ...late]);
    if (chosen === undefined) break;
    order.push(chosen.caller);
    queue.settle(chosen, 30);
    if (chosen !== early) {
      late.splice(late.indexOf(chosen), 1);
      queue.leave(chosen);
    }
  }
  t.equal(order[0], 'late');
  t.ok(order.slice(0, 3).includes('early'), order.join(' '));
});

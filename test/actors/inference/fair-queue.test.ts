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

/** Enters all of them, and says in which order they are chosen. */
function orderOf(queue: ReturnType<typeof createFairQueue>, entries: FairEntry[]): FairEntry[] {
  const left = [...entries];
  const order: FairEntry[] = [];
  for (let chosen = queue.choose(left); chosen !== undefined; chosen = queue.choose(left)) {
    order.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return order;
}

t.test('charges a turn in advance, half a minute at most', async (t) => {
  const queue = createFairQueue();
  const [long, whole, less] = [entry('a', 1000), entry('b', 30), entry('c', 29)];
  const later = [entry('a', 1), entry('b', 2), entry('c', 3)];
  for (const each of [long, whole, less, ...later]) queue.enter(each);
  for (const each of [long, whole, less]) t.equal(queue.choose([each]), each);
  t.strictSame(orderOf(queue, later), [later[2], later[0], later[1]], 'a and b have the same, and c a second less');
});

t.test('corrects the charge by what was heard, once', async (t) => {
  const queue = createFairQueue();
  const [one, other] = [entry('a', 100), entry('b', 100)];
  for (const each of [one, other]) queue.enter(each);
  queue.choose([one]);
  queue.settle(one, 10);
  t.equal(one.leftSeconds, 90);
  queue.settle(one, 5);
  t.equal(one.leftSeconds, 85);
  queue.choose([other]);
  queue.settle(other, 16);
  t.equal(queue.choose([other, one]), one, 'fifteen seconds against sixteen');
  queue.settle(one, 1000);
  t.equal(one.leftSeconds, 0, 'what lasted longer than was known');
});

t.test('of callers who were served the same, takes what is due first', async (t) => {
  const queue = createFairQueue();
  const entries = [entry('a', 20), entry('b', 10), entry('c', 30)];
  for (const each of entries) queue.enter(each);
  t.equal(queue.choose(entries), entries[1]);
  t.equal(queue.choose([]), undefined);
});

t.test('of one caller takes what is due first, also when another was served less in between', async (t) => {
  const queue = createFairQueue();
  const [early, late] = [entry('a', 5), entry('a', 6)];
  for (const each of [early, late]) queue.enter(each);
  t.equal(queue.choose([late, early]), early);
  t.equal(queue.choose([early, late]), early, 'in whichever order they are asked about');
});

t.test('remembers a caller for as long as one entry of his is there, and no longer', async (t) => {
  const queue = createFairQueue();
  const [first, second, other] = [entry('a', 30), entry('a', 10), entry('b', 20)];
  for (const each of [first, second, other]) queue.enter(each);
  queue.choose([first]);
  queue.settle(first, 30);
  queue.leave(first);
  t.equal(queue.choose([second, other]), other, 'he was served thirty seconds');
  queue.settle(other, 20);
  queue.leave(second);
  const back = entry('a', 10);
  queue.enter(back);
  t.equal(queue.choose([back, other]), back, 'who comes starts where the others are');
  queue.leave(entry('nobody', 1));
});

t.test('an entry that comes back after it left is not credited what it was charged before', async (t) => {
  const queue = createFairQueue();
  const [one, other] = [entry('a', 30), entry('b', 30)];
  const stays = entry('a', 29);
  for (const each of [one, stays, other]) queue.enter(each);
  queue.choose([one]);
  queue.leave(one);
  queue.enter(one);
  queue.settle(one, 0);
  queue.choose([other]);
  queue.settle(other, 29);
  t.equal(queue.choose([stays, other]), other);
});

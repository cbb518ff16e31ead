import t from 'tap';
import { createStopper } from '../../scripts/stopper.ts';
import type { StopCause } from '../../supervisors/root.ts';
import type { StopSignal } from '../../transports/process/signals.ts';

function setUp() {
  const stopper = createStopper();
  const [causes, signals]: [StopCause[], StopSignal[]] = [[], []];
  const attach = () =>
    stopper.attach({ orderly: (cause) => void causes.push(cause), atOnce: (signal) => void signals.push(signal) });
  return { stopper, causes, signals, attach };
}

t.test('the first cause ends the tree in order, a second signal at once', async (t) => {
  const { stopper, causes, signals, attach } = setUp();
  const before = process.listenerCount('SIGTERM');
  const detach = attach();
  t.same(causes, []);
  stopper.stop('succession');
  stopper.stop();
  process.emit('SIGTERM');
  t.same(causes, ['succession']);
  process.emit('SIGINT');
  t.same(signals, ['SIGINT']);
  detach();
  t.equal(process.listenerCount('SIGTERM'), before);
});

t.test('what ends a tree before there is one ends it as soon as it is there', async (t) => {
  const { stopper, causes, attach } = setUp();
  stopper.stop('succession');
  stopper.stop();
  const detach = attach();
  t.same(causes, ['succession']);
  stopper.stop();
  t.same(causes, ['succession'], 'once');
  detach();
});

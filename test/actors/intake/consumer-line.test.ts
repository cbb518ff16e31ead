import t from 'tap';
import { createConsumerLine, present } from '../../../actors/intake/consumer-line.ts';

t.test('a line has four workers, posts of a hundred events, and room for waiting ones where it retries', async (t) => {
  const line = createConsumerLine('process', 'me', { leaseMs: 10_000 });
  t.match(line, { kind: 'process', consumer: 'me', leaseMs: 10_000, isTrusted: true });
  t.match(line, { workerCount: 4, batchSize: 100, waitingLimit: 0, workers: [] });
  t.equal(createConsumerLine('dlq', 'me', { leaseMs: 1 }).waitingLimit, 5000);
  t.match(createConsumerLine('dlq', 'me', { leaseMs: 1, workerCount: 2, batchSize: 3 }), {
    workerCount: 2,
    batchSize: 3,
  });
});

t.test('what is not running is named', async (t) => {
  t.equal(present('it', 'reader'), 'it');
  t.throws(() => present(undefined, 'reader'), { message: 'the reader of this line is not running' });
});

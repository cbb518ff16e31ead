import t from 'tap';
import { decide, DLQ_POLICY, type FailurePolicy } from '../../supervisors/failure-policy.ts';

const failure = (attempt: number, extras: object = {}) => ({ attempt, error: Object.assign(new Error('no'), extras) });

t.test('the dlq schedule is 5 s, 15 s, 45 s, then the event is given up', async (t) => {
  const verdicts = [1, 2, 3, 4].map((attempt) => decide(DLQ_POLICY, failure(attempt, { retryable: true })));
  t.strictSame(verdicts, [
    { kind: 'retry', delayMs: 5_000 },
    { kind: 'retry', delayMs: 15_000 },
    { kind: 'retry', delayMs: 45_000 },
    { kind: 'abandon' },
  ]);
});

t.test('what is wrong with an event is given up at once, what is wrong with us pauses the consumer', async (t) => {
  t.strictSame(decide(DLQ_POLICY, failure(1, { code: 'EVENT_MALFORMED', retryable: false })), { kind: 'abandon' });
  for (const code of ['SERVICE_KEY_REFUSED', 'API_MISMATCH', 'REDIS_UNAVAILABLE', 'DISK_UNAVAILABLE']) {
    t.strictSame(decide(DLQ_POLICY, failure(1, { code, retryable: true })), { kind: 'pause' }, code);
  }
});

t.test('the first rule whose facts all hold decides; schedules chain by attempts', async (t) => {
  const policy: FailurePolicy = {
    rules: [
      { when: { retryable: true, codes: ['BUSY', 'LATE'] }, then: { kind: 'abandon' } },
      { when: { codes: ['LATE'] }, then: { kind: 'pause' } },
    ],
    otherwise: {
      kind: 'retryAfter',
      scheduleMs: [1, 2],
      then: { kind: 'retryAfter', scheduleMs: [7], then: { kind: 'pause' } },
    },
  };
  t.strictSame(decide(policy, failure(1, { code: 'LATE', retryable: true })), { kind: 'abandon' });
  t.strictSame(decide(policy, failure(1, { code: 'LATE' })), { kind: 'pause' }, 'no retryable is not retryable');
  t.strictSame(
    decide(policy, failure(1, { code: 7, retryable: true })),
    { kind: 'retry', delayMs: 1 },
    'a code is text',
  );
  t.strictSame(
    [1, 2, 3, 4].map((attempt) => decide(policy, failure(attempt))),
    [{ kind: 'retry', delayMs: 1 }, { kind: 'retry', delayMs: 2 }, { kind: 'retry', delayMs: 7 }, { kind: 'pause' }],
  );
});

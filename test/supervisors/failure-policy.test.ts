import t from 'tap';
import { worker } from '../../supervisors/child-spec.ts';
import { decide, DLQ_POLICY, type FailurePolicy, type Verdict } from '../../supervisors/failure-policy.ts';
import { supervisorDefinition } from '../../supervisors/supervisor.ts';
import { createTestSystem } from '../fixtures/actor-system.ts';
import { pass, settled } from '../fixtures/settled.ts';
import type { LiveActor } from '../../actors/kernel/kernel.ts';

const failure = (attempt: number, extras: object = {}, messageType = 'event') => ({
  attempt,
  messageType,
  error: Object.assign(new Error('no'), extras),
});

t.test('the dlq schedule is 5 s, 15 s, 45 s, then the event is given up', async (t) => {
  const verdicts = [1, 2, 3, 4].map((attempt) => decide(DLQ_POLICY, failure(attempt, { retryable: true })));
  t.strictSame(verdicts, [
    { kind: 'retry', delayMs: 5_000 },
    { kind: 'retry', delayMs: 15_000 },
    { kind: 'retry', delayMs: 45_000 },
    { kind: 'deadLetter' },
  ]);
});

t.test('what is wrong with an event is given up at once, what is wrong with us restarts the consumer', async (t) => {
  t.strictSame(decide(DLQ_POLICY, failure(1, { code: 'EVENT_MALFORMED', retryable: false })), { kind: 'deadLetter' });
  t.strictSame(decide(DLQ_POLICY, failure(1, { code: 'REDIS_UNAVAILABLE', retryable: true })), { kind: 'restart' });
});

t.test('the first rule whose facts all hold decides; verdicts chain by attempts', async (t) => {
  const policy: FailurePolicy = {
    rules: [
      { when: { messageTypes: ['ping'], codes: ['BUSY', 'LATE'] }, then: { kind: 'deadLetter' } },
      { when: { messageTypes: ['ping'] }, then: { kind: 'pause', forMs: 10 } },
    ],
    otherwise: {
      kind: 'retryNow',
      times: 2,
      then: { kind: 'retryAfter', scheduleMs: [7], then: { kind: 'escalate' } },
    },
  };
  t.strictSame(decide(policy, failure(1, { code: 'LATE' }, 'ping')), { kind: 'deadLetter' });
  t.strictSame(decide(policy, failure(1, { code: 'OTHER' }, 'ping')), { kind: 'pause', forMs: 10 });
  t.strictSame(
    [1, 2, 3, 4].map((attempt) => decide(policy, failure(attempt))),
    [{ kind: 'retry', delayMs: 0 }, { kind: 'retry', delayMs: 0 }, { kind: 'retry', delayMs: 7 }, { kind: 'escalate' }],
  );
});

/** One worker that fails on every 'bad' and notes what it handled. */
function createWorker(verdict: Verdict) {
  const test = createTestSystem();
  const handled: string[] = [];
  let incarnations = 0;
  test.system.spawn(
    'vello',
    supervisorDefinition(
      {
        strategy: 'oneForOne',
        intensity: 1,
        periodMs: 60_000,
        policy: { rules: [], otherwise: verdict },
        children: [
          worker<{ type: string }>('worker', {
            type: 'worker',
            start() {
              incarnations += 1;
              return {
                receive({ type }) {
                  handled.push(`${type} at ${test.clock.monotonicMs()}`);
                  if (type === 'bad') throw new Error('bad message');
                },
              };
            },
          }),
        ],
      },
      { random: () => 0 },
    ),
  );
  const tell = (...types: string[]) =>
    types.forEach((type) => test.system.resolve<{ type: string }>('vello/worker')?.tell({ type }));
  return { ...test, tell, handled, incarnations: () => incarnations };
}

t.test('retryNow: the message again, before all others, in the same incarnation', async (t) => {
  const { system, tell, handled, incarnations } = createWorker({
    kind: 'retryNow',
    times: 2,
    then: { kind: 'deadLetter' },
  });
  await settled();
  tell('bad', 'good');
  await settled();
  t.strictSame(handled, ['bad at 0', 'bad at 0', 'bad at 0', 'good at 0']);
  t.equal(incarnations(), 1);
  t.equal(system.deadLetters.counts.failed, 1);
  t.match(system.deadLetters.recent(), [{ reason: 'failed', messageType: 'bad', path: 'vello/worker' }]);
  await system.stop();
});

t.test('retryAfter: the message by its schedule, while others go on', async (t) => {
  const { system, tell, handled, clock } = createWorker({
    kind: 'retryAfter',
    scheduleMs: [100, 300],
    then: { kind: 'deadLetter' },
  });
  await settled();
  tell('bad', 'good');
  await pass(clock, 1000);
  t.strictSame(handled, ['bad at 0', 'good at 0', 'bad at 100', 'bad at 400']);
  t.equal(system.deadLetters.counts.failed, 1);
  await system.stop();
  t.equal(clock.pendingTimers, 0);
});

t.test('pause: nothing is handled until the time is over, then the message comes again, first', async (t) => {
  const { system, tell, handled, clock } = createWorker({ kind: 'pause', forMs: 500 });
  await settled();
  tell('bad', 'good');
  await pass(clock, 499);
  t.strictSame(handled, ['bad at 0']);
  t.match(system.snapshotOf('vello/worker'), { status: 'paused', mailboxDepth: 2 });
  await pass(clock, 1);
  t.strictSame(handled, ['bad at 0', 'bad at 500']);
  await system.stop();
});

t.test('pause without a time: only a command ends it, and a stop still gets through', async (t) => {
  const { system, tell, handled, clock } = createWorker({ kind: 'pause' });
  await settled();
  tell('bad');
  await pass(clock, 1_000_000);
  t.equal(handled.length, 1);
  (system.resolve('vello/worker') as LiveActor | undefined)?.resume();
  await settled();
  t.equal(handled.length, 2);
  await system.stop();
  t.equal(system.resolve('vello'), undefined);
});

t.test('restart: a new incarnation, without the message', async (t) => {
  const { system, tell, handled, incarnations, clock } = createWorker({ kind: 'restart' });
  await settled();
  tell('bad');
  await pass(clock, 1000);
  t.equal(incarnations(), 2);
  t.equal(handled.length, 1);
  await system.stop();
});

t.test('escalate: the supervisor itself fails', async (t) => {
  const { system, tell, log } = createWorker({ kind: 'escalate' });
  await settled();
  tell('bad');
  await settled();
  t.equal(system.resolve('vello'), undefined);
  t.ok(log.lines.some(({ fields }) => fields['code'] === 'FAILURE_ESCALATED'));
  await system.stop();
});

import t from 'tap';
import {
  eventFields,
  failedRuns,
  failureOfStatus,
  mayBeOneOfMany,
  notBeforeMs,
} from '../../../actors/intake/event-verdict.ts';
import { decide, DLQ_POLICY } from '../../../supervisors/failure-policy.ts';
import { VelloError } from '../../../config/errors.ts';

const verdict = (error: Error, attempt = 1) => {
  const decided = decide(DLQ_POLICY, { error, attempt });
  return decided.kind === 'retry' ? decided.delayMs : decided.kind;
};

t.test(
  'an api that is away or failing is asked again after 5, 15 and 45 seconds, then the event is given up',
  async (t) => {
    const failures = [
      new VelloError('API_UNREACHABLE'),
      new VelloError('API_TIMEOUT'),
      ...[429, 500, 502, 503, 504, 599].map((status) => failureOfStatus(status, '')),
    ];
    for (const failure of failures) {
      t.same(
        [1, 2, 3, 4].map((attempt) => verdict(failure, attempt)),
        [5000, 15_000, 45_000, 'abandon'],
        failure.message,
      );
    }
  },
);

t.test('what is wrong with the event stays wrong', async (t) => {
  for (const status of [400, 413, 422]) t.equal(verdict(failureOfStatus(status, 'EVENT_MALFORMED')), 'abandon');
});

t.test('what is wrong with us, or with what answers in place of the api, is no fault of the event', async (t) => {
  for (const status of [401, 403, 404, 405, 302, 204]) t.equal(verdict(failureOfStatus(status, '')), 'pause');
});

t.test('the event travels on without what was noted about it', async (t) => {
  const event = { v: '1', event_id: 'e', attempts: '2' };
  const notes = { attempt: '1', not_before: '5', error: 'X', failures: '[]', origin_stream: 's', origin_id: '1-1' };
  t.same(eventFields({ ...event, ...notes }), event);
  t.equal(failedRuns({ ...event, ...notes }), 1);
  t.equal(notBeforeMs({ ...event, ...notes }), 5);
});

t.test('an event straight from the gateway has failed never and waits for nothing', async (t) => {
  for (const attempt of [{}, { attempt: 'x' }, { attempt: '-1' }]) t.equal(failedRuns(attempt), 0);
  for (const due of [{}, { not_before: 'soon' }]) t.equal(notBeforeMs(due), 0);
});

/** Each status that has a meaning of its own, and those beside it, which have none. */
const codes: Readonly<Record<string, readonly number[]>> = {
  API_FAILED: [429, 500, 599],
  SERVICE_KEY_REFUSED: [401, 403],
  API_REJECTED: [400, 413, 422],
  API_MISMATCH: [399, 402, 404, 412, 414, 421, 423, 428, 430, 499, 600],
};
for (const [code, statuses] of Object.entries(codes)) {
  t.test(`${statuses.join(', ')} from the api is ${code}`, async (t) => {
    for (const status of statuses) {
      const failure = failureOfStatus(status, '');
      t.equal(failure.code, code, String(status));
      t.equal(failure.detail, `The api answered status ${status}.`);
      t.equal(failureOfStatus(status, 'ITS_CODE').detail, `The api answered ${status} ITS_CODE.`);
      t.equal(mayBeOneOfMany(failure), code === 'API_REJECTED');
    }
  });
}

t.test('only a refusal of ours may be that of one event among many', async (t) => {
  t.equal(mayBeOneOfMany(new Error('API_REJECTED')), false);
});

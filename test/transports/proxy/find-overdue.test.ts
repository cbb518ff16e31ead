import t from 'tap';
import { findOverdue } from '../../../transports/proxy/find-overdue.ts';

const judge = (paused: boolean) => {
  const upload = { receivedBytes: 40, complete: false, paused, lastArrivalMs: 0, poll: () => undefined };
  return findOverdue({ nowMs: 61_000, startedMs: 0, upload, leg: undefined, awaitsUpload: true })?.code;
};

t.test('a client that we keep waiting is not called slow; one that keeps us waiting is', async (t) => {
  t.equal(judge(false), 'UPLOAD_TOO_SLOW');
  t.equal(judge(true), undefined);
});

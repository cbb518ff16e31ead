import fc from 'fast-check';
import t from 'tap';
import {
  decodeUsageEvent,
  flattenUsageEvent,
  packLostEvent,
  packUsageEvent,
  unpackUsageEvent,
  type AdmittedRequest,
  type UsageEvent,
} from '../../../actors/events/usage-event.ts';
import type { VelloError } from '../../../config/errors.ts';
import { anyUsageEvent } from '../../fixtures/any-usage-event.ts';
import { fieldsOf, usageEvent, usageEventFields } from '../../fixtures/usage-event.ts';

const full: UsageEvent = {
  eventId: '01939f5e-7f00-7000-8000-000000000001',
  type: 'transcribe',
  requestId: '01939f5e-7f00-7000-8000-000000000002',
  sessionId: '01939f5e-7f00-7000-8000-000000000003',
  userId: '01939f5e-7f00-7000-8000-000000000004',
  deviceId: '01939f5e-7f00-7000-8000-000000000005',
  provider: 'inference',
  model: 'moonshine-tiny',
  keyId: 'default',
  outcome: 'ok',
  status: 200,
  startedAtMs: 1_763_700_000_000,
  ttfbMs: 12,
  durationMs: 300,
  bytesIn: 112_044,
  bytesOut: 96,
  audioSeconds: 6.996,
  audioSource: 'header',
  usage: { type: 'duration', seconds: 0 },
  result: 'ein Satz\nmit "Zeichen" ✓',
  attempts: 1,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  prompt: 'tidy@7',
};

const bare: UsageEvent = {
  eventId: full.eventId,
  type: 'process',
  requestId: full.requestId,
  sessionId: full.sessionId,
  provider: 'openai',
  model: '',
  keyId: '',
  outcome: 'client_abort',
  status: 0,
  startedAtMs: 1,
  durationMs: 0,
  bytesIn: 0,
  bytesOut: 0,
  audioSeconds: 0,
  audioSource: 'none',
  attempts: 0,
};

t.test('an event comes back from its stream form as it was, with every optional field or with none', async (t) => {
  t.same(decodeUsageEvent(fieldsOf(full)), full);
  t.same(decodeUsageEvent(fieldsOf(bare)), bare);
});

t.test('the flat form names the fields of the contract in their order', async (t) => {
  const flat = flattenUsageEvent(bare);
  t.strictSame(
    flat.filter((_, index) => index % 2 === 0),
    [
      ...['v', 'event_id', 'type', 'request_id', 'session_id', 'user_id', 'device_id', 'provider', 'model', 'key_id'],
      ...['outcome', 'status', 'started_at', 'ttfb_ms', 'duration_ms', 'bytes_in', 'bytes_out', 'audio_seconds'],
      ...['audio_source', 'usage', 'result', 'attempts', 'traceparent', 'prompt'],
    ],
  );
});

t.test('a malformed event is refused with every offending field', async (t) => {
  const broken = {
    ...fieldsOf(full),
    v: '2',
    event_id: 'x',
    outcome: 'fine',
    status: '-1',
    audio_seconds: 'NaN',
    usage: '[1]',
    bytes_in: 5,
    started_at: '',
  };
  const error = t.throws(() => decodeUsageEvent(broken)) as unknown as VelloError;
  t.equal(error.code, 'EVENT_MALFORMED');
  t.same(error.extras.fields?.map((problem) => problem.field).sort(), [
    '/audio_seconds',
    '/bytes_in',
    '/event_id',
    '/outcome',
    '/started_at',
    '/status',
    '/usage',
    '/v',
  ]);
});

t.test('usage that is not JSON is a malformed event, not a crash', async (t) => {
  t.throws(() => decodeUsageEvent({ ...fieldsOf(full), usage: '{' }), { code: 'EVENT_MALFORMED' });
});

t.test('a field of a newer gateway is ignored', async (t) => {
  t.same(decodeUsageEvent({ ...fieldsOf(full), colour: 'red' }), full);
});

t.test('a text that no database keeps is mended when it is written, so that the work is recorded', async (t) => {
  const event = usageEvent({
    result: 'a\0b\ud800c😀',
    model: 'm\0',
    usage: { text: '\0', deep: { more: ['\udfff'] } },
  });
  const fields = fieldsOf(event);
  t.equal(fields.result, 'a\ufffdb\ufffdc😀');
  t.match(decodeUsageEvent(fields), { model: 'm\ufffd', usage: { text: '\ufffd', deep: { more: ['\ufffd'] } } });
  t.equal(decodeUsageEvent({ ...fields, usage: '{"path":"C:\\\\u0000"}' }).usage?.['path'], 'C:\\u0000');
});

t.test('refuses numbers and usage that no table could hold', async (t) => {
  const refused: readonly (readonly [string, string])[] = [
    ['status', '2147483648'],
    ['started_at', '253402300800000'],
    ['audio_seconds', '999999999999999'],
    ['usage', '{"a":"\\u0000"}'],
    ['usage', '{"\\ud800":1}'],
    ['usage', `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`],
  ];
  for (const [name, value] of refused) {
    t.throws(() => decodeUsageEvent({ ...usageEventFields(), [name]: value }), { code: 'EVENT_MALFORMED' }, name);
  }
});

t.test('a packed event says on the stream what the event itself would say', async (t) => {
  fc.assert(
    fc.property(anyUsageEvent, (given) => {
      const packed = packUsageEvent(given);
      if (packed.includes('\n')) throw new Error('a line break');
      t.same(fieldsOf(unpackUsageEvent(packed)), fieldsOf(given));
    }),
    { numRuns: 200 },
  );
});

t.test('what is noted of a request is the packed event of its loss', async (t) => {
  fc.assert(
    fc.property(anyUsageEvent, ({ userId, deviceId, traceparent, ...given }) => {
      const { eventId, type, requestId, sessionId, provider, model, keyId, startedAtMs } = given;
      const request: AdmittedRequest = {
        ...{ eventId, type, requestId, sessionId, provider, model, keyId, startedAtMs },
        ...(userId === undefined ? {} : { userId }),
        ...(deviceId === undefined ? {} : { deviceId }),
        ...(traceparent === undefined ? {} : { traceparent }),
      };
      const lost: UsageEvent = {
        ...request,
        ...{ outcome: 'lost', status: 0, durationMs: 0, bytesIn: 0, bytesOut: 0 },
        ...{ audioSeconds: 0, audioSource: 'none', attempts: 0 },
      };
      t.equal(packLostEvent(request), packUsageEvent(lost));
    }),
    { numRuns: 200 },
  );
});

t.test('what an older gateway left on its disk is read, and what this one leaves can be read by it', async (t) => {
  const id = '01939f5e-7f00-7000-8000-00000000000';
  const line =
    `["${id}1","transcribe","${id}2","${id}3","${id}4","${id}5","openai","whisper-1","key-1","ok",200,1763700000000,null,` +
    `300,112044,96,6.996,"header",{"seconds":7},null,1,"00-0af7"]`;
  const kept = unpackUsageEvent(line);
  t.match(kept, { sessionId: `${id}3`, bytesIn: 112_044, bytesOut: 96, usage: { seconds: 7 }, traceparent: '00-0af7' });
  t.equal(packUsageEvent(kept), `${line.slice(0, -1)},null]`, 'with what is new behind all that it knows');
});

t.test('what is no packed event is refused', async (t) => {
  for (const broken of ['', '[]', '{}', 'null', '1', '["x"]', packUsageEvent(usageEvent()).replace('"ok"', '7')]) {
    t.throws(() => unpackUsageEvent(broken), broken);
  }
});

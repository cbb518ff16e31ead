import fc from 'fast-check';
import t from 'tap';
import {
  AUDIO_SOURCES,
  encodeUsageEvent,
  OUTCOMES,
  packUsageEvent,
  unpackUsageEvent,
  type UsageEvent,
} from '../../../actors/events/usage-event.ts';
import { usageEvent } from '../../fixtures/usage-event.ts';

const text = fc.string({ unit: 'binary', maxLength: 40 });
const whole = fc.nat({ max: 1_000_000_000 });
const event: fc.Arbitrary<UsageEvent> = fc
  .record(
    {
      type: fc.constantFrom('transcribe' as const, 'process' as const),
      userId: fc.uuid(),
      deviceId: fc.uuid(),
      ...{ provider: fc.string(), model: text, keyId: fc.string() },
      outcome: fc.constantFrom(...OUTCOMES),
      status: fc.nat({ max: 999 }),
      ...{ startedAtMs: whole, ttfbMs: whole, durationMs: whole, bytesIn: whole, bytesOut: whole, attempts: whole },
      audioSeconds: fc.double({ min: 0, max: 1e6, noNaN: true }).map(Math.abs),
      audioSource: fc.constantFrom(...AUDIO_SOURCES),
      usage: fc.dictionary(fc.string({ minLength: 1 }), fc.oneof(text, whole, fc.constant(null))),
      result: text.filter((result) => result !== ''),
      traceparent: fc.string({ minLength: 1 }),
    },
    { requiredKeys: [] },
  )
  .map((changes) => usageEvent(changes));

t.test('a packed event says on the stream what the event itself would say', async (t) => {
  fc.assert(
    fc.property(event, (given) => {
      const packed = packUsageEvent(given);
      if (packed.includes('\n')) throw new Error('a line break');
      t.same(encodeUsageEvent(unpackUsageEvent(packed)), encodeUsageEvent(given));
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
  t.equal(packUsageEvent(kept), line);
});

t.test('what is no packed event is refused', async (t) => {
  for (const broken of ['', '[]', '{}', 'null', '1', '["x"]', packUsageEvent(usageEvent()).replace('"ok"', '7')]) {
    t.throws(() => unpackUsageEvent(broken), broken);
  }
});

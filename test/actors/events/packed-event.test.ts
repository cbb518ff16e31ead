import fc from 'fast-check';
import t from 'tap';
import { packUsageEvent, unpackUsageEvent } from '../../../actors/events/packed-event.ts';
import { AUDIO_SOURCES, encodeUsageEvent, OUTCOMES, type UsageEvent } from '../../../actors/events/usage-event.ts';
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

t.test('what is no packed event is refused', async (t) => {
  for (const broken of ['', '[]', '{}', 'null', '1', '["x"]', packUsageEvent(usageEvent()).replace('"ok"', '7')]) {
    t.throws(() => unpackUsageEvent(broken), broken);
  }
});

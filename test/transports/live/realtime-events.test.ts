import fc from 'fast-check';
import t from 'tap';
import { addUsage, readRealtimeEvent } from '../../../transports/live/realtime-events.ts';

t.test('nothing that a provider can send throws', async (t) => {
  const named = fc.record(
    {
      type: fc.constantFrom(
        'error',
        'session.updated',
        'input_audio_buffer.committed',
        'conversation.item.input_audio_transcription.completed',
        'conversation.item.input_audio_transcription.failed',
      ),
      item_id: fc.anything(),
      transcript: fc.anything(),
      usage: fc.anything(),
      error: fc.anything(),
    },
    { requiredKeys: ['type'] },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        named.map((event) => JSON.stringify(event)),
      ),
      (text) => {
        const event = readRealtimeEvent(text);
        if (event === undefined || !('item' in event)) return true;
        return typeof event.item === 'string';
      },
    ),
  );
  t.equal(readRealtimeEvent('[]'), undefined);
  t.equal(readRealtimeEvent('{"type":1}'), undefined);
  t.same(readRealtimeEvent('{"type":"later"}'), { kind: 'other' });
});

t.test('times are whole milliseconds or none', async (t) => {
  const at = (ms: unknown) =>
    readRealtimeEvent(JSON.stringify({ type: 'input_audio_buffer.speech_started', item_id: 'a', audio_start_ms: ms }));
  t.match(at(12.4), { startMs: 12 });
  for (const ms of [-1, 'x', null, 1e300]) t.same(at(ms), { kind: 'started', item: 'a', startMs: undefined });
});

t.test('accounts are added up, number by number', async (t) => {
  const tokens = (input: number, audio: number) => ({
    type: 'tokens',
    input_tokens: input,
    input_token_details: { audio_tokens: audio },
  });
  t.same(addUsage(addUsage(undefined, tokens(1, 2)), tokens(3, 4)), tokens(4, 6));
  t.same(addUsage(tokens(1, 2), { type: 'duration', seconds: 3 }), { type: 'duration', seconds: 3 });
});

import t from 'tap';
import { VelloError } from '../../../../config/errors.ts';
import { readRealtimeConfig } from '../../../../transports/http/inference/realtime-config.ts';

const update = (input: object, more: object = {}) => ({
  type: 'session.update',
  session: { type: 'transcription', audio: { input: { transcription: { model: 'whisper-1' }, ...input } }, ...more },
});
const read = (event: Readonly<Record<string, unknown>>) => readRealtimeConfig(event, ['en', 'pt']);

t.test('what is asked for, and what is meant where nothing is', async (t) => {
  t.same(read(update({})), {
    format: { codec: 'pcm16', rate: 24_000 },
    language: 'en',
    findsTurns: true,
    silenceSeconds: 0.5,
  });
  t.same(
    read(
      update({
        format: { type: 'audio/pcm', rate: 16_000 },
        noise_reduction: null,
        transcription: { model: 'moonshine-tiny', language: 'pt-BR', prompt: 'names' },
        turn_detection: { type: 'server_vad', threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 700 },
      }),
    ),
    { format: { codec: 'pcm16', rate: 16_000 }, language: 'pt', findsTurns: true, silenceSeconds: 0.7 },
  );
  t.match(read(update({ format: { type: 'audio/opus' }, turn_detection: null })), {
    format: { codec: 'opus' },
    findsTurns: false,
  });
});

t.test('the shape of the beta is understood', async (t) => {
  const session = {
    input_audio_format: 'pcm16',
    input_audio_transcription: { model: 'gpt-4o-transcribe', language: 'en' },
    turn_detection: { type: 'server_vad', silence_duration_ms: 200 },
  };
  t.same(read({ type: 'transcription_session.update', session }), {
    format: { codec: 'pcm16', rate: 24_000 },
    language: 'en',
    findsTurns: true,
    silenceSeconds: 0.2,
  });
  t.throws(
    () => read({ type: 'transcription_session.update', session: { ...session, input_audio_format: 'g711_ulaw' } }),
    { code: 'BAD_REQUEST', message: 'The format is pcm16.' },
  );
});

t.test('what cannot be honoured is refused by its name', async (t) => {
  const refused: readonly [object, string][] = [
    [{ format: { type: 'audio/pcmu' } }, 'session.audio.input.format'],
    [{ format: { type: 'audio/pcm', rate: 11_025 } }, 'session.audio.input.format'],
    [{ noise_reduction: { type: 'near_field' } }, 'session.audio.input.noise_reduction'],
    [{ transcription: undefined }, 'session.audio.input.transcription'],
    [{ transcription: { model: 'whisper-1', language: 7 } }, 'session.audio.input.transcription.language'],
    [{ transcription: { model: 'whisper-1', language: 'xx' } }, 'language'],
    [{ transcription: { model: 'gpt-5' } }, 'model'],
    [{ transcription: {} }, 'model'],
    [{ turn_detection: { type: 'semantic_vad' } }, 'session.audio.input.turn_detection.type'],
    [{ turn_detection: { type: 'server_vad', threshold: 0.9 } }, 'session.audio.input.turn_detection.threshold'],
    [
      { turn_detection: { type: 'server_vad', silence_duration_ms: 5 } },
      'session.audio.input.turn_detection.silence_duration_ms',
    ],
    [{ turn_detection: 'none' }, 'session.audio.input.turn_detection'],
  ];
  for (const [input, field] of refused) {
    try {
      read(update(input));
      t.fail(`${field} was taken`);
    } catch (error) {
      t.equal(error instanceof VelloError ? error.extras.fields?.[0]?.field : error, field);
    }
  }
  t.throws(() => read({ type: 'session.update', session: { type: 'realtime' } }), { code: 'BAD_REQUEST' });
  t.throws(() => read({ type: 'session.update' }), { code: 'BAD_REQUEST' });
  t.throws(() => read(update({}, { include: ['item.input_audio_transcription.logprobs'] })), { code: 'BAD_REQUEST' });
});

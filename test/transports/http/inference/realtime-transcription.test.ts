import t from 'tap';
import { oggPackets } from '../../../../transports/speech/containers/ogg-packets.ts';
import { startInference } from '../../../fixtures/inference-role.ts';
import { connectRealtime, pcmFramesOf, realtimeUpdate } from '../../../fixtures/realtime-client.ts';
import { packedRecording, recording, wordsOf } from '../../../fixtures/recordings.ts';

const { baseUrl, key } = await startInference(t);
const connect = () => connectRealtime(t, baseUrl, { authorization: `Bearer ${key}` });
const fox = recording('fox-8k.wav');
const garden = recording('garden-16k.flac');
const silence = Array.from({ length: 15 }, () => Buffer.alloc(3_200));

t.test('two sentences with a pause between them are two turns, each with its text', async (t) => {
  const client = await connect();
  client.say(realtimeUpdate());
  client.speak(...(await pcmFramesOf(fox.bytes)), ...silence, ...(await pcmFramesOf(garden.bytes)), ...silence);
  for (const { text, seconds } of [fox, garden]) {
    const { item_id: item, audio_start_ms: startMs } = await client.next('input_audio_buffer.speech_started');
    const { audio_end_ms: endMs } = await client.next('input_audio_buffer.speech_stopped');
    t.ok(Math.abs((endMs - startMs) / 1000 - seconds) < 1, `${startMs} to ${endMs} of ${seconds} s`);
    const completed = await client.next('conversation.item.input_audio_transcription.completed');
    t.equal(completed.item_id, item);
    t.same(wordsOf(completed.transcript), wordsOf(text));
  }
  client.say({ type: 'input_audio_buffer.commit' });
  t.match(await client.next('error'), { error: { code: 'input_audio_buffer_commit_empty' } });
});

t.test('Opus comes as packets, and a commit ends what is being said', async (t) => {
  const client = await connect();
  client.say(realtimeUpdate({ format: { type: 'audio/opus' }, turn_detection: null }));
  const packets = [...oggPackets(packedRecording('garden-opus.ogg'))];
  client.speak(...packets.flatMap((event) => (event.kind === 'stream' ? [] : [event.bytes])));
  client.say({ type: 'input_audio_buffer.commit' });
  const { transcript, usage } = await client.next('conversation.item.input_audio_transcription.completed');
  t.same(wordsOf(transcript), wordsOf(garden.text));
  t.match(usage, { type: 'duration' });
  client.speak(Uint8Array.of(0xff, 0xff, 0xff));
  t.match(await client.next('error'), { error: { code: 'AUDIO_NOT_RECOGNISED' } });
  await client.closed;
});

t.test('words come while they are spoken', async (t) => {
  const client = await connect();
  client.say(realtimeUpdate());
  for (const frame of await pcmFramesOf(fox.bytes)) {
    client.speak(frame);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { delta = '' } = await client.next('conversation.item.input_audio_transcription.delta');
  t.notOk(
    client.heard.some(({ type }) => type === 'input_audio_buffer.speech_stopped'),
    'before the end of the speech',
  );
  t.match(fox.text.toLowerCase(), wordsOf(delta).join(' '));
  client.say({ type: 'input_audio_buffer.commit' });
  const { transcript } = await client.next('conversation.item.input_audio_transcription.completed');
  t.same(wordsOf(transcript), wordsOf(fox.text));
});

t.test('noise and silence are no turn', async (t) => {
  const client = await connect();
  client.say(realtimeUpdate());
  client.speak(
    ...silence,
    Buffer.from(Array.from({ length: 16_000 }, (_, index) => (index % 2 === 0 ? (index * 7919) % 40 : 0))),
  );
  client.say({ type: 'input_audio_buffer.commit' });
  t.match(await client.next('error'), { error: { code: 'input_audio_buffer_commit_empty' } });
});

import t, { type Test } from 'tap';
import { v7 } from 'uuid';
import { createRecognitionPool } from '../../../../actors/inference/recognition-pool.ts';
import { VelloError } from '../../../../config/errors.ts';
import { LIMITS } from '../../../../config/limits.ts';
import { addRealtimeRoute } from '../../../../transports/http/inference/realtime-route.ts';
import { systemClock } from '../../../../transports/process/system-clock.ts';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { createMemoryEar, stretchOf, type MemoryHearing } from '../../../fixtures/memory-ear.ts';
import { memoryRecogniser } from '../../../fixtures/memory-speech-engine.ts';
import { connectRealtime, realtimeUpdate, type RealtimeTestClient } from '../../../fixtures/realtime-client.ts';
import { createMemoryLog, createMemoryMetrics } from '../../../fixtures/silent.ts';

const KEY = 'inference-key-of-a-test';

async function setUp(t: Test) {
  const [ear, recogniser, log] = [createMemoryEar(), memoryRecogniser(), createMemoryLog()];
  const pool = createRecognitionPool({ clock: systemClock, metrics: createMemoryMetrics(), engine: 'memory' });
  pool.add(recogniser);
  const state = { hasEar: true };
  const holder = {
    use: () => {
      if (!state.hasEar) throw new VelloError('ENGINE_FAILED');
      return ear;
    },
  };
  let hangUp: () => void = () => undefined;
  const { base } = await startTestListener(t, (server) => {
    hangUp = addRealtimeRoute(server, {
      ears: holder,
      pool,
      languages: ['en'],
      key: KEY,
      clock: systemClock,
      newId: v7,
      log,
    });
  });
  const connect = (headers: Readonly<Record<string, string>> = {}, query?: string) =>
    connectRealtime(t, `${base}/v1`, { authorization: `Bearer ${KEY}`, ...headers }, query);
  /** A caller that has begun to speak, and what the ear has of him. */
  const begin = async (input: object = {}): Promise<{ client: RealtimeTestClient; hearing: MemoryHearing }> => {
    const client = await connect();
    client.say(realtimeUpdate(input));
    await client.next('session.updated');
    const before = ear.hearings.length;
    client.speak(new Uint8Array(3_200));
    while (ear.hearings.length === before) await new Promise((resolve) => setImmediate(resolve));
    const hearing = ear.hearings[before];
    if (hearing === undefined) throw new Error('Nobody listens.');
    return { client, hearing };
  };
  return { ear, recogniser, state, connect, begin, base, hangUp: () => hangUp(), log };
}

t.test("a turn is begun, committed and transcribed, each event in OpenAI's shape", async (t) => {
  const { begin, recogniser } = await setUp(t);
  const { client, hearing } = await begin({ turn_detection: { type: 'server_vad', silence_duration_ms: 700 } });
  t.match(hearing.options, { format: { codec: 'pcm16', rate: 16_000 }, silenceSeconds: 0.7 });
  t.match(await client.next('session.created'), {
    session: { object: 'realtime.transcription_session', type: 'transcription' },
  });
  hearing.listener.began(40);
  const started = await client.next('input_audio_buffer.speech_started');
  t.match(started, { audio_start_ms: 40, item_id: /^item_/, event_id: /^event_/ });
  hearing.listener.stretch(stretchOf(1, 40));
  t.match(await client.next('input_audio_buffer.speech_stopped'), { audio_end_ms: 1_040, item_id: started.item_id });
  t.match(await client.next('input_audio_buffer.committed'), { item_id: started.item_id, previous_item_id: null });
  while (recogniser.current() === undefined) await new Promise((resolve) => setImmediate(resolve));
  recogniser.finish('Hello.');
  t.match(await client.next('conversation.item.input_audio_transcription.completed'), {
    ...{ item_id: started.item_id, content_index: 0, transcript: 'Hello.' },
    usage: { type: 'duration', seconds: 1 },
  });
  hearing.listener.stretch(stretchOf(1, 3_000));
  t.match(await client.next('input_audio_buffer.committed'), { previous_item_id: started.item_id });
  t.equal(
    new Set(client.heard.map((event) => ('event_id' in event ? event.event_id : ''))).size,
    client.heard.length,
    'each event has an id of its own',
  );
});

t.test('a commit that finds nothing is told so, by the id of its event', async (t) => {
  const { begin } = await setUp(t);
  const { client, hearing } = await begin();
  client.say({ type: 'input_audio_buffer.commit', event_id: 'mine' });
  while (hearing.cuts === 0) await new Promise((resolve) => setImmediate(resolve));
  hearing.listener.cut();
  t.match(await client.next('error'), { error: { code: 'input_audio_buffer_commit_empty', event_id: 'mine' } });
});

t.test(
  'the id is that of the commit that found nothing, also where others came to nothing without a word',
  async (t) => {
    const { begin } = await setUp(t);
    const { client, hearing } = await begin();
    client.say({ type: 'input_audio_buffer.commit', event_id: 'first' });
    client.say({ type: 'input_audio_buffer.commit', event_id: 'second' });
    while (hearing.cuts < 2) await new Promise((resolve) => setImmediate(resolve));
    hearing.listener.stretch(stretchOf(1, 40));
    hearing.listener.cut();
    hearing.listener.cut();
    client.say({ type: 'input_audio_buffer.commit', event_id: 'last' });
    while (hearing.cuts < 3) await new Promise((resolve) => setImmediate(resolve));
    hearing.listener.cut();
    t.match(await client.next('error'), { error: { code: 'input_audio_buffer_commit_empty', event_id: 'last' } });
  },
);

t.test('a commit that came before the session was set up is answered once', async (t) => {
  const { connect, ear } = await setUp(t);
  const client = await connect();
  client.say({ type: 'input_audio_buffer.commit', event_id: 'early' });
  t.match(await client.next('error'), { error: { message: /must be updated first/, event_id: 'early' } });
  client.say(realtimeUpdate({ turn_detection: null }));
  await client.next('session.updated');
  client.say({ type: 'input_audio_buffer.commit', event_id: 'mine' });
  t.match(await client.next('error'), { error: { code: 'input_audio_buffer_commit_empty', event_id: 'mine' } });
  t.equal(ear.hearings.length, 1);
});

t.test('what is not understood is an error, and the session goes on', async (t) => {
  const { connect } = await setUp(t);
  const client = await connect();
  const before = { type: 'input_audio_buffer.append', audio: 'AAAA', event_id: 'early' };
  const wrong: readonly (readonly [object | string, object])[] = [
    ['{', { type: 'invalid_request_error', event_id: null }],
    ['7', { type: 'invalid_request_error' }],
    [
      { type: 'response.create', event_id: 'e' },
      { param: 'type', event_id: 'e' },
    ],
    [before, { event_id: 'early', message: /must be updated first/ }],
    [{ type: 'input_audio_buffer.commit' }, { message: /must be updated first/ }],
    [realtimeUpdate({ transcription: { model: 'gpt-5' } }), { code: 'MODEL_NOT_FOUND', param: 'model' }],
  ];
  for (const [event, error] of wrong) {
    client.say(event);
    t.match((await client.next('error')).error, error, JSON.stringify(event));
  }
  client.say(realtimeUpdate());
  await client.next('session.updated');
  for (const audio of ['', 'AA==', '!', 7, undefined]) {
    client.say({ type: 'input_audio_buffer.append', audio });
    t.match((await client.next('error')).error, { param: 'audio' }, String(audio));
  }
  client.say({ type: 'input_audio_buffer.append', audio: 'AAAA' + 'AAAA' });
  client.say(realtimeUpdate());
  t.match((await client.next('error')).error, { message: /has begun/ });
});

t.test('who may not is refused before the upgrade', async (t) => {
  const { connect, hangUp, begin } = await setUp(t);
  await t.rejects(connect({ authorization: 'Bearer wrong' }), { message: /401/ });
  await t.rejects(connect({ authorization: '' }), { message: /401/ });
  await t.rejects(connect({}, ''), { message: /400/ });
  await t.rejects(connect({}, '?intent=conversation'), { message: /400/ });
  await t.rejects(connect({}, '?intent=transcription&model=whisper-1'), { message: /400/ });
  const { client } = await begin();
  hangUp();
  t.equal(await client.closed, 1012);
  await t.rejects(connect(), { message: /503/ });
});

t.test('who sends faster than he is heard is hung up on', async (t) => {
  const { begin } = await setUp(t);
  const { client } = await begin();
  const frame = new Uint8Array(500_000);
  for (let sent = 0; sent <= LIMITS.recognition.liveUnheardBytes; sent += frame.length) client.speak(frame);
  t.match(await client.next('error'), { error: { code: 'RATE_LIMITED' } });
  t.equal(await client.closed, 1011);
});

t.test('an ear that breaks, or is not there, is told and hung up', async (t) => {
  const { begin, ear, state, connect, log } = await setUp(t);
  const { client } = await begin();
  ear.die();
  t.match(await client.next('error'), { error: { code: 'ENGINE_FAILED', type: 'server_error' } });
  t.equal(await client.closed, 1011);
  state.hasEar = false;
  t.equal(await (await connect()).closed, 1011);
  t.equal(log.lines.filter(({ level }) => level === 'warn').length, 1);
});

t.test('a caller that hangs up is not listened to any more', async (t) => {
  const { begin } = await setUp(t);
  const { client, hearing } = await begin();
  client.close();
  while (!hearing.isClosed) await new Promise((resolve) => setImmediate(resolve));
  t.pass('it is closed');
});

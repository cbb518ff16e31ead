/** Contract §4, live: a microphone is transcribed by our own engine while it is spoken into, is charged once at hang-up, and what dies in between is accounted for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { transcriptionCredits } from '../../actors/credits/credits-for.ts';
import type { JobCreated } from '../../actors/sessions/desktop-protocol.ts';
import { createGrantPublisher } from '../../transports/redis/grants/grant-publisher.ts';
import type { LiveText } from '../../transports/client/live-texts-queue.ts';
import { systemClock } from '../../transports/process/system-clock.ts';
import { oggPackets } from '../../transports/speech/containers/ogg-packets.ts';
import { eventually, openTestStreams } from '../fixtures/event-streams-on-redis.ts';
import { startGatewayProcess } from '../fixtures/gateway-process.ts';
import { connectLive } from '../fixtures/live-gateway.ts';
import { pcmFramesOf } from '../fixtures/realtime-client.ts';
import { startRealtimeProvider } from '../fixtures/realtime-provider.ts';
import { packedRecording, recording, wordsOf } from '../fixtures/recordings.ts';
import { startRedis } from '../fixtures/redis.ts';
import { runVello } from '../fixtures/running-vello.ts';
import { projectFolder } from '../fixtures/source-files.ts';
import { grantOf, SESSION } from '../fixtures/test-gateway.ts';

const vello = await runVello(t);
const liveUrl = `${vello.gatewayUrl.replace('http', 'ws')}/vello/live`;

const demonstration = await pcmFramesOf(readFileSync(join(projectFolder, 'scripts', 'demo', 'recording.flac')));
const WORDS =
  'Your voice travels to the model, and the words come back to you while you are still thinking about the next ' +
  'sentence. Nothing is lost.';

/** A microphone: a frame of a tenth of a second each `everyMs`. */
async function* microphone(frames: readonly Uint8Array[], everyMs: number): AsyncGenerator<Uint8Array> {
  for (const frame of frames) {
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    yield frame;
  }
}

async function signIn() {
  const desktop = vello.desktop();
  const { userId } = await desktop.register();
  const told: JobCreated[] = [];
  await desktop.connect({ job_created: (job) => void told.push(job) });
  const chargedOnce = async (sessionId: string, seconds: number) => {
    const price = transcriptionCredits(seconds);
    await eventually(() => told.length > 0);
    t.match(told, [{ session_id: sessionId, credits_deducted: price, balance: 5000 - price }]);
    const jobs = await vello.database`select * from jobs where user_id = ${userId}`;
    t.equal(jobs.length, 1);
    t.ok(Math.abs(Number(jobs[0]?.['audio_seconds']) - seconds) < 0.001, `${Number(jobs[0]?.['audio_seconds'])} s`);
    return jobs[0];
  };
  return { desktop, userId, told, chargedOnce };
}

// Begins first and is looked at last: the gateway waits half a minute for a desktop that was cut off.
const cut = await signIn();
const cutOff = await (async () => {
  const headers = { authorization: `Bearer ${await cut.desktop.accessToken()}`, 'x-session-id': SESSION };
  const socket = await connectLive(t, `${liveUrl}?format=pcm16&rate=16000&model=moonshine-tiny`, headers);
  await socket.next('ready');
  const fox = await pcmFramesOf(recording('fox-8k.wav').bytes);
  const frames = [...fox, ...Array.from({ length: 10 }, () => Buffer.alloc(3_200))];
  for (const frame of frames) socket.audio(frame);
  const { text } = await socket.next('final');
  socket.cut();
  return { text, seconds: frames.reduce((sum, { length }) => sum + length, 0) / 32_000 };
})();

t.test('the demonstration is transcribed while it is spoken, and charged once by what was sent', async (t) => {
  const { desktop, chargedOnce } = await signIn();
  const live = desktop.live(microphone(demonstration, 50), { model: 'moonshine-tiny', language: 'en', rate: 16_000 });
  const texts: LiveText[] = [];
  for await (const text of live) texts.push(text);
  const finals = texts.filter(({ type }) => type === 'final');
  t.same(wordsOf(finals.map(({ text }) => text).join(' ')), wordsOf(WORDS));
  t.ok(texts.findIndex(({ type }) => type === 'partial') < texts.findIndex(({ type }) => type === 'final'));
  const seconds = demonstration.reduce((sum, { length }) => sum + length, 0) / 32_000;
  t.match(await chargedOnce(live.sessionId, seconds), {
    type: 'transcribe',
    outcome: 'ok',
    audio_source: 'header',
    status: 101,
  });
});

t.test('so are Opus packets', async (t) => {
  const { desktop, chargedOnce } = await signIn();
  const packets = [...oggPackets(packedRecording('garden-opus.ogg'))].flatMap((event) =>
    event.kind === 'stream' ? [] : [event.bytes],
  );
  const live = desktop.live(microphone(packets, 1), { model: 'moonshine-tiny', format: 'opus' });
  t.same(wordsOf(await live.text()), wordsOf(recording('garden-16k.flac').text));
  await chargedOnce(live.sessionId, packets.length * 0.02);
});

t.test('what our engine does not serve is said in its words, and costs nothing', async (t) => {
  const { desktop, userId, told } = await signIn();
  const live = desktop.live(microphone(demonstration, 20), { model: 'no-such-model', rate: 16_000 });
  await t.rejects(live.text(), { code: 'MODEL_NOT_FOUND', message: /no-such-model/ });
  await eventually(() => told.length > 0);
  t.match(told, [{ session_id: live.sessionId, credits_deducted: 0, balance: 5000 }]);
  const jobs = await vello.database`select outcome from jobs where user_id = ${userId}`;
  t.match([...jobs], [{ outcome: 'upstream_error' }]);
});

t.test('a gateway that is killed in the middle of one reports it as lost when it is back', async (t) => {
  const redis = await startRedis(t);
  const streams = await openTestStreams(t, redis);
  const provider = await startRealtimeProvider(t);
  const grant = grantOf('good', Date.now() + 900_000);
  await createGrantPublisher(streams.redis, systemClock).issue(grant);
  const gateway = await startGatewayProcess(t, redis.url, provider.url);
  const url = `ws://127.0.0.1:${gateway.ports.gateway}/vello/live?format=pcm16&rate=24000&model=m-1`;
  const socket = await connectLive(t, url, { authorization: 'Bearer good', 'x-session-id': SESSION });
  const caller = await provider.next();
  await caller.configure();
  socket.audio(new Uint8Array(48_000));
  await caller.next('input_audio_buffer.append');
  gateway.signal('SIGKILL');
  await gateway.ended;
  await socket.closed;
  t.equal(await streams.length('transcribe'), 0);
  await startGatewayProcess(t, redis.url, provider.url, { home: gateway.home });
  await eventually(async () => (await streams.length('transcribe')) > 0);
  t.match(await streams.entries('transcribe'), [
    { outcome: 'lost', session_id: SESSION, user_id: grant.userId, audio_seconds: '0' },
  ]);
});

t.test(
  'a desktop that was cut off and did not come back is charged once for what it sent, and its text is kept',
  async (t) => {
    t.same(wordsOf(cutOff.text), wordsOf(recording('fox-8k.wav').text));
    t.match(await cut.chargedOnce(SESSION, cutOff.seconds), { outcome: 'client_abort' });
  },
);

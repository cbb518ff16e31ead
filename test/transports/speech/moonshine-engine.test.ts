import { readFileSync } from 'node:fs';
import t from 'tap';
import { createRecognitionPool } from '../../../actors/inference/recognition-pool.ts';
import type { Recogniser, Recognition } from '../../../actors/inference/speech-engine.ts';
import { createMoonshineEngine } from '../../../transports/speech/moonshine-engine.ts';
import { wavFile } from '../../fixtures/audio-bytes.ts';
import { decodeWhole } from '../../fixtures/decode-whole.ts';
import { chanceFrom } from '../../fixtures/fuzz-run.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { cachedModel } from '../../fixtures/model-cache.ts';
import { packedRecording, recording, wordsOf } from '../../fixtures/recordings.ts';
import { createMemoryMetrics } from '../../fixtures/silent.ts';

const unhurried = (): AbortSignal => new AbortController().signal;

const deaths: Error[] = [];
const engine = createMoonshineEngine({ model: cachedModel });
const recogniser: Recogniser = await engine.open({ signal: unhurried(), onDeath: (cause) => deaths.push(cause) });
t.teardown(() => recogniser.close());

for (const file of ['garden-16k.flac', 'garden-44k-stereo.flac', 'fox-8k.wav']) {
  t.test(`recognises every word of ${file}, whatever its rate and channels`, async (t) => {
    const { bytes, text, seconds } = recording(file);
    const recognition = await recogniser.recognise(bytes, { signal: unhurried() });
    t.same(wordsOf(recognition.text), wordsOf(text));
    t.ok(Math.abs(recognition.audioSeconds - seconds) < 0.001);
  });
}

t.test('recognises the same words of one sentence in every container and codec', async (t) => {
  const { text } = recording('garden-16k.flac');
  for (const file of ['garden.mp3', 'garden-opus.ogg', 'garden-vorbis.webm', 'garden-aac.m4a']) {
    const recognition = await recogniser.recognise(packedRecording(file), { signal: unhurried() });
    t.same(wordsOf(recognition.text), wordsOf(text), file);
  }
});

t.test('cuts long speech at a pause and loses no word, with deltas that add up to the text', async (t) => {
  const { bytes, text, seconds } = recording('stories-8k.flac');
  const deltas: string[] = [];
  const { text: whole, segments } = await recogniser.recognise(bytes, {
    signal: unhurried(),
    onDelta: (delta) => deltas.push(delta),
  });
  t.same(wordsOf(whole), wordsOf(text));
  t.equal(deltas.join(''), whole);
  t.ok(deltas.length > 50, `${deltas.length} deltas`);
  t.ok(segments.length > 4);
  for (const { startSeconds, endSeconds } of segments) t.ok(endSeconds - startSeconds <= 8);
  t.equal(segments.map((segment) => segment.text).join(' '), whole);
  const end = segments.at(-1)?.endSeconds ?? 0;
  t.ok(end > seconds - 0.5 && end <= seconds, `the last segment ends at ${end} s`);
});

t.test('makes no words of silence and of noise, and says so', async (t) => {
  const silence = new Uint8Array(64_000);
  const noise = Uint8Array.from({ length: 64_000 }, (_, at) => (at % 2 === 0 ? (at * 7919) % 251 : (at * 31) % 5));
  for (const data of [silence, noise]) {
    const file = wavFile({ sampleRate: 16_000, channels: 1, bitsPerSample: 16 }, data);
    await t.rejects(recogniser.recognise(file, { signal: unhurried() }), { code: 'AUDIO_WITHOUT_SPEECH', status: 400 });
  }
});

t.test('hears one sentence in half a minute of noise, and makes no words of the noise', async (t) => {
  const { bytes, text } = recording('garden-16k.flac');
  const { samples } = await decodeWhole(bytes);
  const chance = chanceFrom(7);
  const data = Buffer.alloc(2 * 30 * 16_000);
  for (let index = 0; index < data.length / 2; index++) {
    const voice = index < 16 * 16_000 ? 0 : (samples[index - 16 * 16_000] ?? 0);
    data.writeInt16LE(Math.round(32_000 * (voice * 0.9 + (chance.next() - 0.5) * 0.02)), index * 2);
  }
  const file = wavFile({ sampleRate: 16_000, channels: 1, bitsPerSample: 16 }, data);
  const recognition = await recogniser.recognise(file, { signal: unhurried() });
  t.same(wordsOf(recognition.text), wordsOf(text));
  t.ok(Math.abs((recognition.segments[0]?.startSeconds ?? 0) - 16.3) < 0.3);
});

t.test('refuses speech in a language it does not know, and says no made-up word before', async (t) => {
  const bytes = readFileSync(new URL('../../fixtures/speech/portuguese-8k.wav', import.meta.url));
  const options = { signal: unhurried(), onDelta: (delta: string) => t.fail(`said ${delta}`) };
  await t.rejects(recogniser.recognise(bytes, options), { code: 'AUDIO_NOT_UNDERSTOOD', status: 400 });
});

t.test('refuses what is not audio and goes on working', async (t) => {
  const letter = Buffer.from('Dear reader');
  await t.rejects(recogniser.recognise(letter, { signal: unhurried() }), { code: 'AUDIO_NOT_RECOGNISED' });
  const { text } = await recogniser.recognise(recording('fox-8k.wav').bytes, { signal: unhurried() });
  t.match(text, /brown fox/);
});

t.test('recognises a short recording while a long one waits at a border, and loses no word of either', async (t) => {
  const [long, short] = [recording('stories-8k.flac'), recording('fox-8k.wav')];
  const heard: number[] = [];
  let between: Recognition | undefined;
  const onBorder = async (heardSeconds: number) => {
    heard.push(heardSeconds);
    between ??= await recogniser.recognise(short.bytes, { signal: unhurried() });
  };
  const recognition = await recogniser.recognise(long.bytes, { signal: unhurried(), onBorder });
  t.same(wordsOf(recognition.text), wordsOf(long.text));
  t.same(wordsOf(between?.text ?? ''), wordsOf(short.text));
  t.ok(heard.length >= 2 && (heard[0] ?? 0) <= 31, heard.join(' '));
});

t.test('stops a recording that waits at a border when its caller leaves', async (t) => {
  const leaving = new AbortController();
  const onBorder = () => {
    leaving.abort();
    return new Promise<void>(() => undefined);
  };
  const { bytes } = recording('stories-8k.flac');
  await t.rejects(recogniser.recognise(bytes, { signal: leaving.signal, onBorder }), { name: 'AbortError' });
  const { text } = await recogniser.recognise(recording('fox-8k.wav').bytes, { signal: unhurried() });
  t.match(text, /brown fox/);
});

t.test('keeps its place in the pool when one leaves at a border while another begins', async (t) => {
  const pool = createRecognitionPool({
    clock: createManualClock(),
    metrics: createMemoryMetrics(),
    engine: engine.name,
  });
  const [long, short] = [recording('stories-8k.flac').bytes, recording('fox-8k.wav').bytes];
  const leaving = new AbortController();
  let begun = 0;
  const recognise: Recogniser['recognise'] = (file, options) => {
    begun += 1;
    if (begun === 3) leaving.abort();
    return recogniser.recognise(file, options);
  };
  pool.add({ recognise, close: () => recogniser.close() });
  const left = pool.recognise(long, { signal: leaving.signal, caller: 'a' });
  const second = pool.recognise(short, { signal: unhurried(), caller: 'b' });
  const third = pool.recognise(short, { signal: unhurried(), caller: 'c' });
  const others = Promise.all([second, third]);
  others.catch(() => undefined);
  await t.rejects(left, { name: 'AbortError' });
  for (const { text } of await others) t.match(text, /brown fox/);
  t.same(pool.counts(), { busy: 0, idle: 1, waiting: 0 });
});

t.test('takes the next recording at once when one leaves at a border', async (t) => {
  const leaving = new AbortController();
  let next: Promise<Recognition> | undefined;
  const onBorder = () => {
    leaving.abort();
    next = recogniser.recognise(recording('fox-8k.wav').bytes, { signal: unhurried() });
    next.catch(() => undefined);
    // The pool may have chosen the one that leaves, before it heard.
    return Promise.resolve();
  };
  const { bytes } = recording('stories-8k.flac');
  await t.rejects(recogniser.recognise(bytes, { signal: leaving.signal, onBorder }), { name: 'AbortError' });
  t.match((await next)?.text, /brown fox/);
});

t.test('works on after a recording that could not be sent to its thread', async (t) => {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  await t.rejects(recogniser.recognise(bytes, { signal: unhurried() }), { name: 'DataCloneError' });
  const { text } = await recogniser.recognise(recording('fox-8k.wav').bytes, { signal: unhurried() });
  t.match(text, /brown fox/);
});

t.test(
  'fails all it has and tells of its death once when its thread ends while recordings wait at a border',
  async (t) => {
    const causes: Error[] = [];
    const impatient = createMoonshineEngine({ model: cachedModel, loadingMs: 60_000, silenceMs: 5_000 });
    const victim = await impatient.open({ signal: unhurried(), onDeath: (cause) => causes.push(cause) });
    const { bytes } = recording('stories-8k.flac');
    let between: Promise<Recognition> | undefined;
    const onBorder = () => {
      // No model for it: the thread ends, as with anything unforeseen.
      between ??= victim.recognise(bytes, { signal: unhurried(), language: 'xx' });
      return new Promise<void>(() => undefined);
    };
    const long = victim.recognise(bytes, { signal: unhurried(), onBorder });
    await t.rejects(long, { code: 'ENGINE_FAILED' });
    await t.rejects(async () => between, { code: 'ENGINE_FAILED' });
    t.match(causes, [/no model for xx/]);
    t.equal(causes.length, 1);
  },
);

t.test('stops where the caller goes away, and says no word after that', async (t) => {
  const leaving = new AbortController();
  const deltas: string[] = [];
  const onDelta = (delta: string) => {
    deltas.push(delta);
    leaving.abort();
  };
  const { bytes } = recording('stories-8k.flac');
  await t.rejects(recogniser.recognise(bytes, { signal: leaving.signal, onDelta }), { name: 'AbortError' });
  t.equal(deltas.length, 1);
  await t.rejects(recogniser.recognise(bytes, { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

t.test('fails the request and reports its death when its thread gets stuck', async (t) => {
  const causes: Error[] = [];
  const impatient = createMoonshineEngine({ model: cachedModel, loadingMs: 60_000, silenceMs: 1 });
  const victim = await impatient.open({ signal: unhurried(), onDeath: (cause) => causes.push(cause) });
  const { bytes } = recording('garden-16k.flac');
  await t.rejects(victim.recognise(bytes, { signal: unhurried() }), { code: 'ENGINE_FAILED', status: 503 });
  t.match(causes, [/said nothing/]);
  await t.rejects(victim.recognise(bytes, { signal: unhurried() }), { code: 'ENGINE_FAILED' });
});

t.test('does not open on files that are no model', async (t) => {
  const path = new URL(import.meta.url).pathname;
  const broken = createMoonshineEngine({ model: async () => ({ encoderPath: path, decoderPath: path }) });
  await t.rejects(broken.open({ signal: unhurried(), onDeath: () => t.fail('it never opened') }), {
    code: 'ENGINE_FAILED',
  });
});

t.test('gives up opening when told so', async (t) => {
  const leaving = new AbortController();
  const opening = engine.open({ signal: leaving.signal, onDeath: () => t.fail('it never opened') });
  leaving.abort();
  await t.rejects(opening, { code: 'ENGINE_FAILED' });
});

t.test('fails what waits at a border when it is closed, and did not die of that nor of anything before', async (t) => {
  const onBorder = () => {
    void recogniser.close();
    return Promise.resolve();
  };
  const { bytes } = recording('stories-8k.flac');
  await t.rejects(recogniser.recognise(bytes, { signal: unhurried(), onBorder }), { code: 'ENGINE_FAILED' });
  await t.rejects(recogniser.recognise(bytes, { signal: unhurried() }), { code: 'ENGINE_FAILED' });
  await recogniser.close();
  t.same(deaths, []);
});

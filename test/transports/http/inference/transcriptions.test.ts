import OpenAI, { toFile } from 'openai';
import t from 'tap';
import { startInference } from '../../../fixtures/inference-role.ts';
import { recording, wordsOf } from '../../../fixtures/recordings.ts';

const { baseUrl, key, metrics } = await startInference(t);
const client = new OpenAI({ baseURL: baseUrl, apiKey: key, maxRetries: 0 });
const model = 'gpt-4o-transcribe';
const garden = recording('garden-16k.flac');
const fox = recording('fox-8k.wav');
const upload = ({ bytes, file }: { bytes: Buffer; file: string }) => toFile(bytes, file);

type Fields = Readonly<Record<string, string | Buffer | undefined>>;

/** Posts a form; `undefined` leaves a field out. */
async function post(fields: Fields, authorization = `Bearer ${key}`): Promise<Response> {
  const form = new FormData();
  const all: Fields = { model, file: garden.bytes, ...fields };
  for (const [name, value] of Object.entries(all)) {
    if (value === undefined) continue;
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, new Blob([new Uint8Array(value)]), 'recording.bin');
  }
  return fetch(`${baseUrl}/audio/transcriptions`, {
    method: 'POST',
    body: form,
    headers: { authorization },
  });
}

t.test('gives the unmodified OpenAI client its transcription, with the seconds it is billed by', async (t) => {
  const { text, usage } = await client.audio.transcriptions.create({ file: await upload(garden), model });
  t.same(wordsOf(text), wordsOf(garden.text));
  t.same(usage, { type: 'duration', seconds: garden.seconds });
});

t.test('tells the unmodified OpenAI client of a model that it serves, and that there is no other', async (t) => {
  const { data } = await client.models.list();
  t.same(
    await client.models.retrieve(model),
    data.find(({ id }) => id === model),
  );
  await t.rejects(client.models.retrieve('gpt-4o'), { status: 404, code: 'MODEL_NOT_FOUND' });
  await t.rejects(client.withOptions({ apiKey: 'another' }).models.retrieve(model), {
    status: 401,
    code: 'INFERENCE_KEY_INVALID',
  });
});

t.test('streams to the unmodified OpenAI client deltas that add up to the final text', async (t) => {
  const stream = await client.audio.transcriptions.create({
    file: await upload(fox),
    model: 'whisper-1',
    stream: true,
  });
  const deltas: string[] = [];
  let done: unknown;
  for await (const event of stream) {
    if (event.type === 'transcript.text.delta') deltas.push(event.delta);
    else done = event;
  }
  t.ok(deltas.length > 5, `${deltas.length} deltas`);
  t.match(done, {
    type: 'transcript.text.done',
    text: deltas.join(''),
    usage: { type: 'duration', seconds: fox.seconds },
  });
  t.same(wordsOf(deltas.join('')), wordsOf(fox.text));
});

t.test('answers in plain text and with the times of segments when asked to', async (t) => {
  const plain = await client.audio.transcriptions.create({ file: await upload(fox), model, response_format: 'text' });
  t.same(wordsOf(plain), wordsOf(fox.text));
  for (const [format, start, type] of [
    ['srt', '1\n00:00:00,', 'text/plain'],
    ['vtt', 'WEBVTT\n\n00:00:00.', 'text/vtt'],
  ] as const) {
    const response = await post({ response_format: format });
    t.equal(response.headers.get('content-type'), `${type}; charset=utf-8`);
    t.ok((await response.text()).startsWith(start), format);
  }
  const verbose = await client.audio.transcriptions.create({
    file: await upload(fox),
    model,
    response_format: 'verbose_json',
  });
  t.match(verbose, { language: 'english', duration: fox.seconds, segments: [{ id: 0, start: Number, end: Number }] });
  t.equal(verbose.segments?.[0]?.text, verbose.text);
});

t.test('lists its models as OpenAI does', async (t) => {
  const ids = [];
  for await (const { id } of client.models.list()) ids.push(id);
  t.same(ids.includes('moonshine-tiny'), true);
});

t.test('says that a file is not audio, streamed or not, in an error of OpenAI shape', async (t) => {
  const letter = Buffer.from('Dear reader, this is a letter.');
  for (const stream of ['false', 'true']) {
    const response = await post({ file: letter, stream });
    t.equal(response.status, 400);
    t.match(await response.json(), {
      error: {
        type: 'invalid_request_error',
        code: 'AUDIO_NOT_RECOGNISED',
        message: /not audio in FLAC, WAV, mp3, AAC, Ogg, WebM or MP4/,
      },
    });
  }
  const error = await client.audio.transcriptions.create({ file: await toFile(letter, 'a.flac'), model }).then(
    () => undefined,
    (refusal: unknown) => refusal,
  );
  t.ok(error instanceof OpenAI.BadRequestError);
});

t.test('names the field that it cannot serve', async (t) => {
  const refusals: [Fields, number, string][] = [
    [{ file: undefined }, 400, 'file'],
    [{ model: undefined }, 400, 'model'],
    [{ model: 'whisper-9' }, 404, 'model'],
    [{ response_format: 'ass' }, 400, 'response_format'],
    [{ response_format: 'verbose_json', stream: 'true' }, 400, 'response_format'],
    [{ response_format: 'srt', stream: 'true' }, 400, 'response_format'],
    [{ response_format: 'vtt', stream: 'true' }, 400, 'response_format'],
    [{ language: 'de' }, 400, 'language'],
    [{ temperature: '7' }, 400, 'temperature'],
    [{ 'timestamp_granularities[]': 'word' }, 400, 'timestamp_granularities'],
    [{ stream: 'maybe' }, 400, 'stream'],
  ];
  for (const [fields, status, param] of refusals) {
    const response = await post(fields);
    t.equal(response.status, status, param);
    t.match(await response.json(), { error: { param } });
  }
});

t.test('refuses bodies that are no form, and those that are too large', async (t) => {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const url = `${baseUrl}/audio/transcriptions`;
  t.equal((await fetch(url, { method: 'POST', body: '{}', headers })).status, 415);
  t.equal((await post({ file: Buffer.alloc(27 * 1024 * 1024) })).status, 413);
});

t.test('serves nobody without its key', async (t) => {
  for (const authorization of ['', 'Bearer wrong', `Basic ${key}`, key]) {
    const response = await post({}, authorization);
    t.equal(response.status, 401);
    t.match(await response.json(), { error: { type: 'authentication_error', code: 'INFERENCE_KEY_INVALID' } });
  }
  t.equal((await fetch(`${baseUrl}/models`)).status, 401);
});

t.test('stops recognising for a client that went away, and serves the next', async (t) => {
  const leaving = new AbortController();
  const long = await upload(recording('stories-8k.flac'));
  const stream = await client.audio.transcriptions.create(
    { file: long, model, stream: true },
    { signal: leaving.signal },
  );
  for await (const _event of stream) leaving.abort();
  const startedMs = performance.now();
  const { text } = await client.audio.transcriptions.create({ file: await upload(fox), model });
  t.same(wordsOf(text), wordsOf(fox.text));
  t.equal(metrics.value('vello_recognitions_total', { engine: 'moonshine-tiny', outcome: 'aborted' }), 1);
  t.comment(`the next answer took ${Math.round(performance.now() - startedMs)} ms`);
});

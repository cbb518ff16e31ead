/** OpenAI's own client, unmodified, on every route that the gateway passes on: what it gets, what the provider was asked, what the event says. */
import OpenAI, { toFile } from 'openai';
import t, { type Test } from 'tap';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import {
  CHAT_USAGE,
  IMAGE_USAGE,
  RESPONSE_USAGE,
  SPEECH,
  startOpenAiProvider,
  type ProviderFailure,
  UNCOUNTED,
} from '../../fixtures/openai-provider.ts';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { PROVIDER_KEY, SESSION, startGateway } from '../../fixtures/test-gateway.ts';

async function start(t: Test, apiKey = 'good') {
  const provider = await startOpenAiProvider(t);
  const gateway = await startGateway(t, { providers: { openai: provider.url } });
  const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, timeout: 10_000 });
  /** What the provider was asked last, and the one event that it left. */
  const settled = async (t: Test, url: string): Promise<UsageEvent> => {
    const asked = provider.asked.at(-1);
    t.match(asked, { method: 'POST', url, authorization: `Bearer ${PROVIDER_KEY}` });
    const events = await gateway.reported(provider.asked.length);
    const event = events.at(-1);
    t.match(event, { outcome: 'ok', status: 200, attempts: 1, provider: 'openai' });
    return event as UsageEvent;
  };
  return { provider, gateway, openai, settled };
}

const messages = [{ role: 'user', content: 'Hello' }] as const;
const png = (name: string) => toFile(Buffer.from('png'), name, { type: 'image/png' });
const wav = () => toFile(Buffer.alloc(32_000), 'a.wav', { type: 'audio/wav' });

t.test('a chat, whole and streamed', async (t) => {
  const { openai, settled } = await start(t);
  const whole = await openai.chat.completions.create({ model: 'gpt-x', messages: [...messages] });
  t.equal(whole.choices[0]?.message.content, 'Hi there');
  t.match(await settled(t, '/v1/chat/completions'), { type: 'process', model: 'gpt-x', usage: CHAT_USAGE });
  const stream = await openai.chat.completions.create({ model: 'gpt-x', messages: [...messages], stream: true });
  let text = '';
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    t.notOk(chunk.usage, 'the account is not for a client that did not ask');
  }
  t.equal(text, 'Hi there');
  t.match((await settled(t, '/v1/chat/completions')).usage, CHAT_USAGE);
  const helper = openai.chat.completions.stream({
    model: 'gpt-x',
    messages: [...messages],
    stream_options: { include_usage: true },
  });
  t.equal(await helper.finalContent(), 'Hi there');
  t.same(await helper.totalUsage(), CHAT_USAGE);
});

t.test('a response, whole and streamed', async (t) => {
  const { openai, settled } = await start(t);
  const whole = await openai.responses.create({ model: 'gpt-x', input: 'Hello' });
  t.equal(whole.output_text, 'Hi there');
  t.match(await settled(t, '/v1/responses'), { type: 'process', model: 'gpt-x', usage: RESPONSE_USAGE });
  const stream = await openai.responses.create({ model: 'gpt-x', input: 'Hello', stream: true });
  let text = '';
  for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta;
  t.equal(text, 'Hi there');
  t.match((await settled(t, '/v1/responses')).usage, RESPONSE_USAGE);
});

t.test('a response in the background is refused, since nobody could meter it', async (t) => {
  const { openai, provider, gateway } = await start(t);
  const refused = openai.responses.create({ model: 'gpt-x', input: 'Hello', background: true });
  await t.rejects(refused, { status: 400, message: /"background" must be false/ });
  t.match(await gateway.reported(1), [{ outcome: 'ok', status: 400 }]);
  t.equal(provider.asked.length, 0, 'the provider never has it whole');
});

t.test('vectors, as numbers and as the client prefers them', async (t) => {
  const { openai, settled } = await start(t);
  const { data } = await openai.embeddings.create({ model: 'embed-x', input: 'Hello' });
  t.strictSame([...(data[0]?.embedding ?? [])], [0.5, -0.25, 1]);
  t.match(await settled(t, '/v1/embeddings'), {
    ...{ type: 'process', model: 'embed-x', usage: { prompt_tokens: 8, total_tokens: 8 } },
  });
  const plain = await openai.embeddings.create({ model: 'embed-x', input: ['a', 'b'], encoding_format: 'float' });
  t.strictSame(plain.data[0]?.embedding, [0.5, -0.25, 1]);
});

t.test('speech, whose text is what is paid for', async (t) => {
  const { openai, settled, provider } = await start(t);
  const answer = await openai.audio.speech.create({ model: 'tts-x', voice: 'alloy', input: 'Good morning.' });
  t.equal(answer.headers.get('content-type'), 'audio/mpeg');
  t.same(Buffer.from(await answer.arrayBuffer()), SPEECH, 'byte for byte');
  const event = await settled(t, '/v1/audio/speech');
  const prompt = Math.ceil((provider.asked[0]?.body.length ?? 0) / 4);
  t.match(event, {
    ...{ type: 'process', model: 'tts-x', audioSeconds: 0, audioSource: 'none', bytesOut: SPEECH.length },
    usage: { prompt_tokens: prompt, completion_tokens: 0, estimated: true },
  });
});

t.test('a recording, in its own language and in English', async (t) => {
  const { openai, settled, provider } = await start(t);
  for (const route of ['transcriptions', 'translations'] as const) {
    const { text } = await openai.audio[route].create({ file: await wav(), model: 'whisper-x' });
    t.equal(text, 'some words');
    t.match(provider.asked.at(-1)?.contentType, /^multipart\/form-data; boundary=/);
    t.match(await settled(t, `/v1/audio/${route}`), {
      ...{ type: 'transcribe', model: 'whisper-x', audioSeconds: 3, audioSource: 'usage' },
    });
  }
});

t.test('images, made, changed and varied, with the account of the provider or a thousand tokens each', async (t) => {
  const { openai, settled } = await start(t);
  const made = await openai.images.generate({ model: 'image-x', prompt: 'a red fox' });
  t.equal(made.data?.[0]?.b64_json, 'cG5n');
  t.match((await settled(t, '/v1/images/generations')).usage, IMAGE_USAGE);
  const stream = await openai.images.generate({ model: 'image-x', prompt: 'a red fox', stream: true });
  const types: string[] = [];
  for await (const event of stream) types.push(event.type);
  t.strictSame(types, ['image_generation.partial_image', 'image_generation.completed']);
  t.match(await settled(t, '/v1/images/generations'), { type: 'process', usage: IMAGE_USAGE });
  const edited = { model: 'image-x', prompt: 'a blue fox', image: [await png('a.png'), await png('b.png')] };
  await openai.images.edit(edited);
  t.match(await settled(t, '/v1/images/edits'), { type: 'process', model: 'image-x', usage: IMAGE_USAGE });
  for await (const event of await openai.images.edit({ ...edited, stream: true })) types.push(event.type);
  t.equal(types.at(-1), 'image_edit.completed');
  t.match((await settled(t, '/v1/images/edits')).usage, IMAGE_USAGE);

  const several = await openai.images.generate({ model: UNCOUNTED, prompt: 'x', n: 3 });
  t.equal(several.data?.length, 3);
  t.match((await settled(t, '/v1/images/generations')).usage, { completion_tokens: 3_000, estimated: true });
  await openai.images.createVariation({ model: UNCOUNTED, image: await png('a.png'), n: 2 });
  t.match((await settled(t, '/v1/images/variations')).usage, {
    ...{ prompt_tokens: 0, completion_tokens: 2_000, estimated: true },
  });
});

t.test('the models, and each by its name, whatever is in it', async (t) => {
  const { openai, provider, gateway } = await start(t);
  t.equal((await openai.models.list()).data[0]?.id, 'gpt-x');
  for (const id of ['gpt-x', 'ft:gpt-4o-mini:org::abc', 'meta/llama-3.1', 'a b?c#d%', 'ä', '..x']) {
    t.equal((await openai.models.retrieve(id)).id, id);
    t.equal(provider.asked.at(-1)?.url, `/v1/models/${encodeURIComponent(id)}`.replaceAll('%3A', ':'), id);
  }
  t.same(gateway.events, [], 'which costs nothing');
});

async function errorOf(asked: PromiseLike<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  try {
    await asked;
  } catch (error) {
    if (error instanceof OpenAI.APIError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}

t.test('what went wrong reaches it as what it knows', async (t) => {
  const { openai, provider, gateway } = await start(t);
  const chat = () => openai.chat.completions.create({ model: 'gpt-x', messages: [...messages] }, { maxRetries: 0 });
  const failed = async (failure: ProviderFailure) => {
    provider.failNext(failure);
    return errorOf(chat());
  };
  const stranger = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'unknown' });
  const unknown = await errorOf(stranger.responses.create({ model: 'x', input: 'x' }));
  t.ok(unknown instanceof OpenAI.AuthenticationError);
  t.match(unknown, { status: 401, code: 'AUTH_TOKEN_UNKNOWN', requestID: String });

  const type = 'invalid_request_error';
  const missing = await failed({ status: 404, error: { message: 'No such model.', type, code: 'model_not_found' } });
  t.ok(missing instanceof OpenAI.NotFoundError);
  t.match(missing, { status: 404, code: 'model_not_found', message: /No such model/ });
  const odd = await failed({ status: 422, error: { message: 'Too odd.', type, param: 'messages' } });
  t.ok(odd instanceof OpenAI.UnprocessableEntityError);
  t.match(odd, { status: 422, param: 'messages', message: /Too odd/ });
  const headers = { 'retry-after': '7' };
  const limited = await failed({ status: 429, headers, error: { message: 'org-abcdefgh is over its quota' } });
  t.ok(limited instanceof OpenAI.RateLimitError);
  t.match(limited, { status: 429, code: 'RATE_LIMITED' });
  t.equal(limited.headers?.get('retry-after'), '7');
  t.notMatch(limited.message, /org-/);
  const broken = await failed({ status: 500, error: { message: 'The server had an error', type: 'server_error' } });
  t.ok(broken instanceof OpenAI.InternalServerError);
  t.match(broken, { status: 500, message: /The server had an error/ });
  const ours = await failed({ status: 401, error: { message: 'Incorrect API key: sk-1', code: 'invalid_api_key' } });
  t.match(ours, { status: 502, code: 'UPSTREAM_FAILED' }, 'our key is no matter of his');
  t.match(await errorOf(openai.get('/files')), { status: 404, code: 'NOT_FOUND' });
  const outcomes = gateway.events.map(({ outcome, status }) => `${outcome} ${status}`);
  t.strictSame(outcomes, ['ok 404', 'ok 422', 'upstream_error 429', 'upstream_error 500', 'upstream_error 502']);
});

t.test('it tries again by itself where that may help, and each try is an event', async (t) => {
  const { openai, provider, gateway } = await start(t);
  provider.failNext(
    { status: 500, error: { message: 'The server had an error' } },
    { status: 429, headers: { 'retry-after-ms': '10' }, error: { message: 'Rate limit reached' } },
  );
  const answer = await openai.chat.completions.create({ model: 'gpt-x', messages: [...messages] });
  t.equal(answer.choices[0]?.message.content, 'Hi there');
  t.equal(provider.asked.length, 3);
  const events = await gateway.reported(3);
  t.strictSame(
    events.map(({ outcome, status }) => `${outcome} ${status}`),
    ['upstream_error 500', 'upstream_error 429', 'ok 200'],
  );
  t.equal(new Set(events.map(({ sessionId }) => sessionId)).size, 3, 'a session is made for each that brings none');
});

t.test('what it stops ends at the provider too', async (t) => {
  const { openai, provider, gateway } = await start(t);
  const stream = await openai.chat.completions.create(
    { model: 'endless', messages: [...messages], stream: true },
    { headers: { 'X-Session-Id': SESSION } },
  );
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content === 'Hi') break;
  await provider.left;
  t.match(await gateway.reported(1), [
    { outcome: 'client_abort', sessionId: SESSION, usage: { completion_tokens: 1, estimated: true } },
  ]);
});

t.test('a path that could lead elsewhere is refused', async (t) => {
  const { provider, gateway } = await start(t);
  for (const part of [
    '..',
    '.',
    '%2e%2e',
    '%2E',
    'a%2f..%2fb',
    'a%5C..',
    '%2f',
    'a%00',
    'a%0d%0ab',
    '%zz',
    '%ff',
    'a"b',
    'a%',
  ]) {
    const client = await connectRaw(t, gateway.port);
    client.send(`GET /v1/models/${part} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n\r\n`);
    t.match(await client.until('}}'), / 400 [^]*BAD_REQUEST/, part);
    client.close();
  }
  const client = await connectRaw(t, gateway.port);
  client.send('GET /v1/models/a/b HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n\r\n');
  t.match(await client.until('}}'), / 404 /);
  t.equal(provider.asked.length, 0);
});

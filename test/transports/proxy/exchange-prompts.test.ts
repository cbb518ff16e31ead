/** `POST /vello/process` (contract §4): a named system prompt, the client's messages, and everything that a chat is besides. */
import t, { type Test } from 'tap';
import type { SystemPrompt } from '../../../actors/prompts/system-prompt.ts';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, SESSION, startGateway } from '../../fixtures/test-gateway.ts';

const prompts: readonly SystemPrompt[] = [
  { name: 'tidy', version: 7, text: 'Write {{language}}.', madeAtMs: 1 },
  { name: 'plain', version: 1, text: 'Be brief.', madeAtMs: 1 },
];
const user = { role: 'user', content: 'grüße' };
const tidy = { prompt: 'tidy', variables: { language: '"English" {{x}}' }, messages: [user], model: 'm-1' };
const system = { role: 'system', content: 'Write "English" {{x}}.' };
const JSON_TYPE = { 'content-type': 'application/json' };

async function start(t: Test) {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url }, prompts });
  const ask = async (body: string | object, more: Readonly<Record<string, string>> = {}) =>
    fetch(`${gateway.url}/vello/process`, {
      method: 'POST',
      headers: { Authorization: 'Bearer good', 'X-Session-Id': SESSION, ...JSON_TYPE, ...more },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return { upstream, gateway, ask };
}

const head = (framing: string) =>
  `POST /vello/process HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\nX-Session-Id: ${SESSION}\r\n` +
  `Content-Type: application/json\r\n${framing}\r\n\r\n`;

t.test(
  'the provider gets the prompt before the messages, the client which text it was, the account one event',
  async (t) => {
    const { upstream, gateway, ask } = await start(t);
    const asked = ask({ ...tidy, temperature: 0.5 });
    const request = await upstream.next();
    t.match(request.head, /^POST \/v1\/chat\/completions /);
    const sent = await request.whole();
    t.same(JSON.parse(sent.toString()), { model: 'm-1', temperature: 0.5, messages: [system, user] });
    t.equal(request.header('content-length'), String(sent.length));
    const completion = '{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}}';
    request.reply(200, JSON_TYPE, completion);
    const answer = await asked;
    t.equal(answer.headers.get('x-vello-prompt'), 'tidy@7');
    t.equal(answer.headers.get('x-session-id'), SESSION);
    t.equal(await answer.text(), completion);
    const [event] = await gateway.reported(1);
    t.match(event, {
      ...{ type: 'process', outcome: 'ok', status: 200, model: 'm-1', sessionId: SESSION, attempts: 1 },
      prompt: 'tidy@7',
      usage: { prompt_tokens: 9, completion_tokens: 2 },
      bytesIn: Buffer.byteLength(JSON.stringify({ ...tidy, temperature: 0.5 })),
    });
  },
);

t.test('a stream passes as it comes, without the account that was asked for in its place', async (t) => {
  const { upstream, gateway, ask } = await start(t);
  const asked = ask({ ...tidy, stream: true });
  const request = await upstream.next();
  t.match(JSON.parse((await request.whole()).toString()), {
    stream: true,
    stream_options: { include_usage: true },
    messages: [system, user],
  });
  request.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
  const word = 'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n';
  request.send(chunk(word));
  const answer = await asked;
  const reader = answer.body?.getReader();
  t.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), word, 'before the rest is there');
  request.send(chunk('data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}\n\n'));
  request.send(`${chunk('data: [DONE]\n\n').toString()}0\r\n\r\n`);
  t.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), 'data: [DONE]\n\n');
  t.match(await gateway.reported(1), [{ outcome: 'ok', usage: { prompt_tokens: 9, completion_tokens: 1 } }]);
});

t.test('a body in pieces is held until it is whole, and longer than other uploads are', async (t) => {
  const { upstream, gateway } = await start(t);
  const client = await connectRaw(t, gateway.port);
  const long = { ...tidy, messages: [{ role: 'user', content: 'x'.repeat(450_000) }] };
  const body = Buffer.from(JSON.stringify(long));
  client.send(head('Transfer-Encoding: chunked'));
  for (let at = 0; at < body.length; at += 100_000) client.send(chunk(body.subarray(at, at + 100_000)));
  client.send('0\r\n\r\n');
  const request = await upstream.next();
  const sent = await request.whole();
  t.equal(request.header('transfer-encoding'), undefined);
  t.same(JSON.parse(sent.toString()), { model: 'm-1', messages: [system, ...long.messages] });
  request.reply(200, JSON_TYPE, '{}');
  t.match(await client.until('{}'), /X-Vello-Prompt: tidy@7/i);
});

t.test('what is refused says why, never reaches the provider, and costs nothing', async (t) => {
  const { upstream, gateway, ask } = await start(t);
  const refusals: readonly (readonly [status: number, code: string, body: string | object])[] = [
    [404, 'PROMPT_NOT_FOUND', { ...tidy, prompt: 'nothing' }],
    [422, 'INVALID_FIELDS', { ...tidy, variables: { tongue: 5 } }],
    [422, 'INVALID_FIELDS', { prompt: 'plain', messages: [{ role: 'system', content: 'x' }] }],
    [400, 'BAD_REQUEST', '{"prompt":"plain","messages":['],
    [400, 'BAD_REQUEST', '[]'],
    [400, 'BAD_REQUEST', `{"prompt":"plain","messages":[],"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`],
    [400, 'BAD_REQUEST', ''],
    [400, 'BAD_REQUEST', '{"prompt":"plain","prompt":"tidy","messages":[]}'],
    [413, 'PAYLOAD_TOO_LARGE', `"${'x'.repeat(512 * 1024)}"`],
  ];
  for (const [status, code, body] of refusals) {
    const answer = await ask(body);
    t.equal(answer.status, status, code);
    t.match(answer.headers.get('content-type'), 'application/problem+json');
    t.match(await answer.json(), { code, status });
  }
  const named = await ask({ ...tidy, variables: { tongue: 5 } });
  t.match(await named.json(), {
    errors: [
      { field: '/variables/tongue', problem: 'is no variable of the prompt' },
      { field: '/variables/language', problem: 'is missing' },
    ],
  });
  const events = await gateway.reported(refusals.length + 1);
  t.strictSame(
    events.slice(0, -1).map(({ status }) => status),
    refusals.map(([status]) => status),
  );
  for (const event of events) t.match(event, { type: 'process', outcome: 'ok', attempts: 0, provider: '' });
  t.equal((await ask(tidy, { 'X-Session-Id': '' })).status, 400);
  t.equal((await ask(tidy, { 'Content-Type': 'text/plain' })).status, 415);
  t.match(await (await ask(tidy, { 'X-Vello-Model': 'm-2' })).json(), { code: 'BAD_REQUEST', detail: /m-2.*m-1/ });
  t.equal(upstream.count, 0);
});

t.test('a body without announced length is refused once it is too long', async (t) => {
  const { upstream, gateway } = await start(t);
  const client = await connectRaw(t, gateway.port);
  client.send(head('Transfer-Encoding: chunked'));
  client.send(chunk('"'));
  const part = chunk('x'.repeat(200_000));
  for (let n = 0; n < 3; n += 1) client.send(part);
  t.match(await client.until('PAYLOAD_TOO_LARGE'), /413/);
  t.match(await gateway.reported(1), [{ outcome: 'ok', status: 413, attempts: 0 }]);
  t.equal(upstream.count, 0);
});

t.test("a provider's words of refusal come as a problem document, and its failures cost nothing", async (t) => {
  const { upstream, gateway, ask } = await start(t);
  const asked = ask(tidy);
  const error = { error: { message: 'No such model.', type: 'invalid_request_error', code: 'model_not_found' } };
  (await upstream.next()).reply(404, JSON_TYPE, JSON.stringify(error));
  const answer = await asked;
  t.equal(answer.status, 404);
  t.equal(answer.headers.get('x-vello-prompt'), 'tidy@7');
  t.match(await answer.json(), { code: 'NOT_FOUND', detail: 'No such model.' });
  t.match(await gateway.reported(1), [{ outcome: 'ok', status: 404 }]);
});

t.test('what is counted in want of an account is what was sent on, the prompt with it', async (t) => {
  const { upstream, gateway, ask } = await start(t);
  const asked = ask({ prompt: 'plain', messages: [user], stream: true });
  const request = await upstream.next();
  const sent = await request.whole();
  const question = ',"stream_options":{"include_usage":true}'.length;
  request.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
  request.send(chunk('data: {"choices":[{"delta":{"content":"hi"}}]}\n\n').toString());
  request.send(`${chunk('data: [DONE]\n\n').toString()}0\r\n\r\n`);
  await (await asked).text();
  t.match(await gateway.reported(1), [
    { usage: { prompt_tokens: Math.ceil((sent.length - question) / 4), completion_tokens: 1, estimated: true } },
  ]);
});

t.test('who leaves before the body is whole leaves one event and no call', async (t) => {
  const { upstream, gateway } = await start(t);
  const client = await connectRaw(t, gateway.port);
  client.send(head('Content-Length: 100'));
  client.send('{"prompt":');
  while (gateway.relay.activeCount === 0) await new Promise(setImmediate);
  client.close();
  t.match(await gateway.reported(1), [{ outcome: 'client_abort', status: 0, attempts: 0, bytesIn: Number }]);
  t.equal(upstream.count, 0);
});

import t, { type Test } from 'tap';
import { connectRaw, type RawClient } from '../../fixtures/raw-client.ts';
import { chatHead, STREAMED_BYTES } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream, type ScriptedRequest } from '../../fixtures/scripted-upstream.ts';
import { chunk, startGateway, type TestGateway, type TestGatewayOptions } from '../../fixtures/test-gateway.ts';

const sse = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const word = 'data: {"choices":[{"delta":{"content":"hi"}}],"usage":null}\n\n';
const account = 'data: {"choices":[],"usage":{"prompt_tokens":90000,"completion_tokens":60000}}\n\n';
const done = 'data: [DONE]\n\n';
const counted = { usage: { prompt_tokens: 90_000, completion_tokens: 60_000 } };

interface Asked {
  readonly gateway: TestGateway;
  readonly client: RawClient;
  readonly request: ScriptedRequest;
  /** As the provider got it. */
  readonly body: string;
}

async function ask(
  t: Test,
  body: string,
  { chunked = false, ...more }: Partial<TestGatewayOptions> & { readonly chunked?: boolean } = {},
): Promise<Asked> {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url }, ...more });
  const client = await connectRaw(t, gateway.port);
  const bytes = Buffer.from(body);
  client.send(chatHead(chunked ? undefined : bytes.length));
  const [first, rest] = [bytes.subarray(0, STREAMED_BYTES), bytes.subarray(STREAMED_BYTES)];
  const send = (piece: Buffer) => client.send(chunked && piece.length > 0 ? chunk(piece) : piece);
  send(first);
  if (rest.length === 0 && chunked) client.send('0\r\n\r\n');
  const request = await upstream.next();
  // A body too large to be held is with the provider before its end is sent.
  send(rest);
  if (rest.length > 0 && chunked) client.send('0\r\n\r\n');
  return { gateway, client, request, body: (await request.whole()).toString() };
}

async function answer({ client, request }: Asked, events: readonly string[]): Promise<string> {
  request.send(sse);
  for (const event of events) request.send(chunk(event));
  request.send('0\r\n\r\n');
  return client.until('\r\n0\r\n\r\n');
}

for (const [what, body] of [
  ['does not say', '{"model":"m","stream":true,"messages":[]}'],
  ['says no', '{"model":"m","stream":true,"stream_options":{"include_usage":false},"messages":[]}'],
] as const) {
  for (const chunked of [false, true]) {
    t.test(
      `a streamed chat whose client ${what} costs what the provider counted, and the client gets no account (${chunked ? 'chunked' : 'announced'})`,
      async (t) => {
        const asked = await ask(t, body, { chunked });
        t.same(JSON.parse(asked.body), {
          model: 'm',
          stream: true,
          messages: [],
          stream_options: { include_usage: true },
        });
        if (!chunked) t.equal(asked.request.header('content-length'), String(asked.body.length));
        const text = await answer(asked, [word, account, done]);
        t.ok(text.includes(word));
        t.notOk(text.includes('90000'));
        t.ok(text.includes(done));
        const [event] = await asked.gateway.reported(1);
        t.match(event, { outcome: 'ok', bytesIn: body.length, bytesOut: word.length + done.length, ...counted });
        t.notOk(event?.usage?.['estimated']);
      },
    );
  }
}

t.test('a client that asks gets the account, and its body is not touched', async (t) => {
  const body = '{"model":"m","stream":true,"stream_options":{"include_usage":true}}';
  const asked = await ask(t, body);
  t.equal(asked.body, body);
  t.match(await answer(asked, [word, account, done]), '90000');
  t.match(await asked.gateway.reported(1), [{ outcome: 'ok', ...counted }]);
});

t.test('a chat that is not streamed is not touched, nor is its answer', async (t) => {
  const body = '{"model":"m","messages":[]}';
  const asked = await ask(t, body);
  t.equal(asked.body, body);
  asked.request.reply(200, { 'content-type': 'application/json' }, '{"choices":[],"usage":{"prompt_tokens":1}}');
  t.match(await asked.client.until('prompt_tokens'), /content-length: 42/i);
});

const filling = `"messages":["${'x'.repeat(STREAMED_BYTES)}"]`;
for (const chunked of [false, true]) {
  t.test(
    `a chat too large to be held is asked about where it ends (${chunked ? 'chunked' : 'announced'})`,
    async (t) => {
      const asked = await ask(t, `{${filling},"stream":true}`, { chunked });
      t.match(JSON.parse(asked.body), { stream: true, stream_options: { include_usage: true } });
      t.notOk((await answer(asked, [word, account, done])).includes('90000'));
      t.match(await asked.gateway.reported(1), [{ outcome: 'ok', ...counted }]);
    },
  );

  t.test(
    `a large chat in which nothing is to be asked grows by blanks at most (${chunked ? 'chunked' : 'announced'})`,
    async (t) => {
      for (const body of [
        `{${filling}}`,
        `{${filling},"stream":true,"stream_options":{"include_usage":true}}`,
        filling,
      ]) {
        const asked = await ask(t, body, { chunked });
        t.ok(asked.body.replace(/ +(\}?)$/, '$1') === body);
        t.equal(asked.body.length, body.length + (chunked ? 0 : 40));
        t.match(await answer(asked, [account, done]), '90000');
      }
    },
  );
}

t.test('a provider that refuses the question is not asked, and what passes is counted', async (t) => {
  const body = '{"model":"m","stream":true}';
  const asked = await ask(t, body, { countsStreams: false });
  t.equal(asked.body, body);
  await answer(asked, [word, word, done]);
  t.match(await asked.gateway.reported(1), [{ usage: { prompt_tokens: 7, completion_tokens: 2, estimated: true } }]);
});

t.test('nothing but the account is held back: half an event reaches the client when it comes', async (t) => {
  const { client, request, gateway } = await ask(t, '{"model":"m","stream":true}');
  request.send(sse);
  request.send(chunk(word.slice(0, 20)));
  await client.until('data: {"choices":[{"');
  request.send(chunk(word.slice(20)));
  await client.until('"usage":null}\n\n');
  request.send(chunk(account.slice(0, 30)));
  request.send(chunk(account.slice(30) + done.slice(0, 7)));
  await client.until('data: [');
  request.send(chunk(done.slice(7)));
  request.send('0\r\n\r\n');
  t.notOk((await client.until('\r\n0\r\n\r\n')).includes('90000'));
  t.match(await gateway.reported(1), [{ outcome: 'ok', ...counted }]);
});

t.test('an account whose length was announced with the stream is withheld all the same', async (t) => {
  const { client, request, gateway } = await ask(t, '{"model":"m","stream":true}');
  request.reply(200, { 'content-type': 'text/event-stream; charset=utf-8' }, word + account + done);
  const text = await client.until('\r\n0\r\n\r\n');
  t.notOk(text.includes('90000'));
  t.notMatch(text, /content-length/i);
  t.match(await gateway.reported(1), [{ outcome: 'ok', ...counted }]);
});

t.test('who leaves before the account pays for the words that passed', async (t) => {
  const { client, request, gateway } = await ask(t, '{"model":"m","stream":true}');
  request.send(sse);
  request.send(chunk(word + word + word));
  await client.until('hi');
  client.close();
  t.match(await gateway.reported(1), [
    { outcome: 'client_abort', usage: { prompt_tokens: 7, completion_tokens: 3, estimated: true } },
  ]);
});

t.test('a chat that the provider cuts costs the words that passed', async (t) => {
  const { client, request, gateway } = await ask(t, '{"model":"m","stream":true}');
  request.send(sse);
  request.send(chunk(word + word));
  await client.until('hi');
  request.reset();
  t.match(await gateway.reported(1), [
    { outcome: 'truncated', usage: { prompt_tokens: 7, completion_tokens: 2, estimated: true } },
  ]);
});

t.test('who leaves in the middle of a chat that is not streamed pays for the bytes that passed', async (t) => {
  const { client, request, gateway } = await ask(t, '{"model":"m"}');
  request.send('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n');
  request.send('{"choices":[{"message":{"content":"all but the end');
  await client.until('all but');
  client.close();
  t.match(await gateway.reported(1), [
    { outcome: 'client_abort', usage: { prompt_tokens: 4, completion_tokens: 13, estimated: true } },
  ]);
});

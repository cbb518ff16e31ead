import t, { type Test } from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { freePort } from '../../fixtures/free-port.ts';
import { BOTH_ROUTES, chatHead, STREAMED_BYTES } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, form, head, PROVIDER_KEY, startGateway } from '../../fixtures/test-gateway.ts';

async function sent(t: Test, path = '/vello/transcribe') {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  const isChat = path === '/v1/chat/completions';
  const body = isChat ? Buffer.from('{"model":"m-1"}') : form();
  client.send(isChat ? chatHead(body.length) : head(body.length, [], path));
  client.send(body);
  const request = await upstream.next();
  await request.whole();
  return { upstream, gateway, client, request };
}

const sse = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a provider that breaks off in the middle of a stream leaves no clean end, and the client is told where it can be`,
    async (t) => {
      for (const [sentSoFar, isTold] of [
        ['data: {"type":"transcript.text.delta","delta":"one","choices":[{"delta":{}}]}\n\n', true],
        ['data: {"type":"transcript.text.delta","delta":"one","choices":[{"delta":{}}]}\n\ndata: {"ty', false],
      ] as const) {
        const { gateway, client, request } = await sent(t, route.path);
        request.send(sse);
        request.send(chunk(sentSoFar));
        await client.until('one');
        request.reset();
        const answer = await client.ended;
        t.notMatch(answer, /\r\n0\r\n\r\n$/);
        t.equal(answer.includes('"code":"UPSTREAM_FAILED"'), isTold);
        t.match(await gateway.reported(1), [{ outcome: 'truncated', status: 200 }]);
      }
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: an answer that falls short of its announced length is cut, not ended`, async (t) => {
    const { gateway, client, request } = await sent(t, route.path);
    request.send('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"text":');
    await client.until('{"text":');
    request.finish();
    const answer = await client.ended;
    t.match(answer, /content-length: 100/i);
    t.match(await gateway.reported(1), [{ outcome: 'truncated' }]);
  });
}

t.test(
  'a provider that goes before it answers is a 502 in the dialect of the route, and no second attempt',
  async (t) => {
    for (const [path, shape] of [
      ['/vello/transcribe', '"type":"urn:vello:error:upstream_failed"'],
      ['/v1/audio/transcriptions', '"type":"server_error"'],
      ['/v1/chat/completions', '"type":"server_error"'],
    ] as const) {
      const { upstream, gateway, client, request } = await sent(t, path);
      request.reset();
      const answer = await client.until(shape);
      t.match(answer, /^HTTP\/1\.1 502 Bad Gateway/);
      t.match(await gateway.reported(1), [{ outcome: 'upstream_error', status: 502, attempts: 1 }]);
      t.equal(upstream.count, 1);
    }
  },
);

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: a status that arrived but no byte of its body is still a 502`, async (t) => {
    const { client, request, gateway } = await sent(t, route.path);
    request.send(sse);
    request.reset();
    t.match(await client.until('UPSTREAM_FAILED'), /^HTTP\/1\.1 502 /);
    t.match(await gateway.reported(1), [{ outcome: 'upstream_error', status: 502 }]);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a provider that cannot be reached is tried twice and then a 502 that names no address`,
    async (t) => {
      const port = await freePort();
      const gateway = await startGateway(t, { providers: { main: `http://127.0.0.1:${port}` } });
      const client = await connectRaw(t, gateway.port);
      client.send(route.head(route.body.length));
      client.send(route.body);
      const answer = await client.until('UPSTREAM_UNREACHABLE');
      t.notMatch(answer, /127\.0\.0\.1|ECONN/);
      t.match(await gateway.reported(1), [{ outcome: 'upstream_error', status: 502, attempts: 2 }]);
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a kept connection that the provider closed is replaced, and the body arrives whole`,
    async (t) => {
      const { upstream, gateway, client, request } = await sent(t, route.path);
      request.reply(200, { 'content-type': 'application/json' }, '{"n":1}');
      await client.until('{"n":1}');
      request.finish();
      await request.closed;
      client.send(route.head(route.body.length));
      client.send(route.body);
      const second = await upstream.next();
      t.ok((await second.whole()).equals(route.body));
      second.reply(200, { 'content-type': 'application/json' }, '{"n":2}');
      await client.until('{"n":2}');
      t.match(await gateway.reported(2), [{ outcome: 'ok' }, { outcome: 'ok' }]);
    },
  );
}

t.test('the mistakes of a client reach it in the words of the provider', async (t) => {
  const body =
    '{"error":{"message":"The audio file could not be decoded.","type":"invalid_request_error","code":null}}';
  for (const { path } of BOTH_ROUTES) {
    const openai = await sent(t, path);
    openai.request.reply(400, { 'content-type': 'application/json' }, body);
    t.match(await openai.client.until('decoded'), /^HTTP\/1\.1 400 Bad Request/);
    t.ok(openai.client.text().endsWith(body));
  }
  const vello = await sent(t);
  vello.request.reply(400, { 'content-type': 'application/json' }, body);
  const answer = await vello.client.until('decoded');
  t.match(answer, /content-type: application\/problem\+json/i);
  t.match(answer, /"code":"BAD_REQUEST"/);
  t.match(await vello.gateway.reported(1), [{ outcome: 'ok', status: 400 }]);
});

t.test('a provider that is busy is passed on with the time to wait', async (t) => {
  for (const path of ['/vello/transcribe', '/v1/audio/transcriptions', '/v1/chat/completions']) {
    const { client, request } = await sent(t, path);
    request.reply(429, { 'retry-after': '7', 'content-type': 'application/json' }, '{"error":{"message":"slow down"}}');
    const answer = await client.until('RATE_LIMITED');
    t.match(answer, /^HTTP\/1\.1 429 /);
    t.match(answer, /retry-after: 7\r\n/i);
  }
});

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: what the provider says about our account is never passed on: the client would take it for its own token`,
    async (t) => {
      for (const status of [401, 402, 403]) {
        const { client, request, gateway } = await sent(t, route.path);
        request.reply(
          status,
          { 'content-type': 'application/json' },
          '{"error":{"message":"Incorrect API key sk-te**"}}',
        );
        const answer = await client.until('UPSTREAM_FAILED');
        t.match(answer, /^HTTP\/1\.1 502 /);
        t.notMatch(answer, /Incorrect|sk-te/);
        t.match(await gateway.reported(1), [{ outcome: 'upstream_error', status: 502 }]);
      }
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: redirects are not followed and not passed on`, async (t) => {
    const { client, request } = await sent(t, route.path);
    request.reply(302, { location: 'http://internal.example/' }, '');
    const answer = await client.until('UPSTREAM_FAILED');
    t.notMatch(answer, /internal\.example/);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a provider that refuses an upload early is heard although the client is still sending`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const client = await connectRaw(t, gateway.port);
      const body = route.bodyOf(3_000_000);
      client.send(route.head(body.length));
      client.send(body.subarray(0, STREAMED_BYTES));
      const request = await upstream.next();
      request.send(
        'HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 33\r\n\r\n{"error":{"message":"too large"}}',
      );
      request.finish();
      await client.until('too large');
      await client.sendAll(body.subarray(STREAMED_BYTES));
      t.match(await gateway.reported(1), [{ outcome: 'ok', status: 413 }]);
      t.notOk(client.isEnded(), 'the rest of the upload was read and thrown away');
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: the key of the provider is found in no answer, log line, event or metric, whatever the provider echoes`,
    async (t) => {
      const { client, request, gateway } = await sent(t, route.path);
      const half = PROVIDER_KEY.slice(0, 20);
      request.send(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Echo: ${PROVIDER_KEY}\r\nOpenAI-Model: ${PROVIDER_KEY}\r\n`,
      );
      const body = `{"text":"you sent ${PROVIDER_KEY} and ${PROVIDER_KEY}"}`;
      request.send(`Content-Length: ${body.length}\r\n\r\n`);
      const cut = body.indexOf(half) + half.length;
      request.send(body.slice(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 30));
      request.send(body.slice(cut));
      const answer = await client.until('"}');
      t.match(answer, /you sent \*+ and \*+"\}$/);
      const second = await sent(t, route.path);
      second.request.reply(400, {}, `{"error":{"message":"bad key ${PROVIDER_KEY}"}}`);
      await second.client.until('bad key ***');
      const third = await sent(t, route.path);
      third.request.send(`HTTP/1.1 ${PROVIDER_KEY}\r\n\r\n`);
      await third.client.until('UPSTREAM_FAILED');
      for (const one of [gateway, second.gateway, third.gateway]) await one.reported(1);
      const everything = JSON.stringify([
        answer,
        second.client.text(),
        third.client.text(),
        ...[gateway, second.gateway, third.gateway].map((one) => [one.log, one.events, Object.entries(one.metrics)]),
      ]);
      t.notOk(everything.includes(PROVIDER_KEY));
      t.notOk(everything.includes(half));
    },
  );
}

t.test(
  'what our engine says about a recording keeps its AUDIO_ code on both routes; no other code is believed',
  async (t) => {
    for (const [path, status, given, told] of [
      ['/vello/transcribe', 400, 'AUDIO_TOO_SHORT', '"code":"AUDIO_TOO_SHORT"'],
      ['/v1/audio/transcriptions', 400, 'AUDIO_TOO_SHORT', '"code":"AUDIO_TOO_SHORT"'],
      ['/vello/transcribe', 404, 'AUDIO_TOO_SHORT', '"code":"NOT_FOUND"'],
      ['/vello/transcribe', 400, 'CREDITS_EXHAUSTED', '"code":"BAD_REQUEST"'],
      ['/vello/transcribe', 400, 'AUDIO_NEVER_HEARD_OF', '"code":"BAD_REQUEST"'],
    ] as const) {
      const { client, request } = await sent(t, path);
      const error = { message: 'Too short.', type: 'invalid_request_error', param: 'file', code: given };
      request.reply(status, { 'Content-Type': 'application/json' }, JSON.stringify({ error }));
      t.match(await client.until(told), new RegExp(`^HTTP/1\\.1 ${status} `), `${path} ${given}`);
    }
  },
);

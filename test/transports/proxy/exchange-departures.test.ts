import t from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { BOTH_ROUTES, STREAMED_BYTES } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, form, head, PROVIDER_KEY, startGateway } from '../../fixtures/test-gateway.ts';

const sse = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const chat = (body: string) =>
  `POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${body.length}\r\n\r\n${body}`;

for (const route of BOTH_ROUTES) {
  for (const leave of ['close', 'reset'] as const) {
    t.test(
      `${route.name}: a client that goes (${leave}) in the middle of its upload takes the call with it, within a second`,
      async (t) => {
        const upstream = await startScriptedUpstream(t);
        const gateway = await startGateway(t, { providers: { main: upstream.url } });
        const client = await connectRaw(t, gateway.port);
        const body = route.bodyOf(STREAMED_BYTES + 50_000);
        client.send(route.head(body.length));
        client.send(body.subarray(0, STREAMED_BYTES));
        const request = await upstream.next();
        await request.received(STREAMED_BYTES);
        const left = performance.now();
        client[leave]();
        await request.closed;
        t.ok(performance.now() - left < 1_000);
        t.match(await gateway.reported(1), [
          {
            outcome: 'client_abort',
            status: 0,
            bytesIn: STREAMED_BYTES,
            bytesOut: 0,
            audioSeconds: 0,
            audioSource: 'none',
          },
        ]);
      },
    );
  }
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a client that goes while its upload waits for the provider takes the call with it`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const client = await connectRaw(t, gateway.port);
      client.send(route.head(50_000_000));
      client.send(route.body.subarray(0, -9));
      void client.sendAll(Buffer.alloc(20_000_000, 1));
      const request = await upstream.next();
      request.stall();
      await new Promise((resolve) => setTimeout(resolve, 700));
      const left = performance.now();
      client.reset();
      const [event] = await gateway.reported(1);
      t.ok(performance.now() - left < 1_000, `took ${performance.now() - left} ms`);
      t.match(event, { outcome: 'client_abort' });
    },
  );
}

t.test('a client that goes before the status cancels a call that is not a transcription', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send(chat('{"model":"m"}'));
  const request = await upstream.next();
  await request.whole();
  const left = performance.now();
  client.close();
  await request.closed;
  t.ok(performance.now() - left < 1_000);
  t.match(await gateway.reported(1), [{ type: 'process', outcome: 'client_abort', status: 0, model: 'm' }]);
});

t.test('a client that goes in the middle of a chat stream cancels it', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send(chat('{"model":"m","stream":true}'));
  const request = await upstream.next();
  await request.whole();
  request.send(sse);
  request.send(chunk('data: {"choices":[]}\n\n'));
  await client.until('choices');
  const left = performance.now();
  client.close();
  await request.closed;
  t.ok(performance.now() - left < 1_000);
  t.match(await gateway.reported(1), [{ outcome: 'client_abort', status: 200 }]);
});

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: a client that goes while admission is asked for leaves no call and no event`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    client.send(route.head(1_000, ['Authorization: Bearer unknown']));
    client.close();
    const next = await connectRaw(t, gateway.port);
    next.send(route.head(route.body.length));
    next.send(route.body);
    (await upstream.next()).reply(200, {}, 'x');
    await next.until('x');
    t.equal(upstream.count, 1);
    t.equal((await gateway.reported(1)).length, 1);
  });
}

for (const when of ['before the status', 'in the middle of the answer'] as const) {
  t.test(`a transcription whose client goes ${when} is read to its end and its text kept in the event`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    const body = form();
    client.send(head(body.length));
    client.send(body);
    const request = await upstream.next();
    await request.whole();
    const delta = chunk('data: {"type":"transcript.text.delta","delta":"kept"}\n\n');
    if (when === 'in the middle of the answer') {
      request.send(sse);
      request.send(delta);
      await client.until('kept');
    }
    client.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.equal(gateway.events.length, 0, 'the exchange goes on');
    t.notOk(request.isClosed());
    gateway.metrics.scrape();
    t.equal(gateway.metrics.value('vello_gateway_orphaned_answers'), 1);
    if (when === 'before the status') {
      request.send(sse);
      request.send(delta);
    }
    request.send(
      chunk('data: {"type":"transcript.text.done","text":"kept words","usage":{"type":"duration","seconds":4}}\n\n'),
    );
    request.send('0\r\n\r\n');
    t.match(await gateway.reported(1), [
      { outcome: 'client_abort', status: 200, result: 'kept words', audioSeconds: 4, audioSource: 'usage' },
    ]);
    gateway.metrics.scrape();
    t.equal(gateway.metrics.value('vello_gateway_orphaned_answers'), 0);
  });
}

t.test('a key that the provider says in a transcription is in no event', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  const body = form();
  client.send(head(body.length));
  client.send(body);
  const request = await upstream.next();
  await request.whole();
  const answer = `{"text":"${PROVIDER_KEY}","usage":{"type":"duration","seconds":9,"of":"${PROVIDER_KEY}"}}`;
  request.send(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${answer.length}\r\n\r\n`);
  request.send(answer.slice(0, 20));
  await client.until('"text":"');
  client.close();
  request.send(answer.slice(20));
  const [event] = await gateway.reported(1);
  t.match(event, { outcome: 'client_abort', result: '*'.repeat(PROVIDER_KEY.length), audioSeconds: 9 });
  t.notMatch(JSON.stringify(event), PROVIDER_KEY);
});

t.test('a JSON transcription keeps its text for a client that left, and one that failed has none', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  for (const [status, body] of [
    [200, '{"text":"all of it"}'],
    [500, '{"error":{"message":"no"}}'],
  ] as const) {
    const client = await connectRaw(t, gateway.port);
    client.send(head(form().length));
    client.send(form());
    const request = await upstream.next();
    await request.whole();
    client.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    request.reply(status, { 'content-type': 'application/json' }, body);
    await gateway.reported(status === 200 ? 1 : 2);
  }
  t.match(gateway.events, [
    { outcome: 'client_abort', status: 200, result: 'all of it' },
    { outcome: 'upstream_error', status: 500, result: undefined },
  ]);
});

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a client that stops reading holds the provider back instead of filling our memory`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const client = await connectRaw(t, gateway.port);
      client.send(route.head(route.body.length));
      client.send(route.body);
      const request = await upstream.next();
      await request.whole();
      client.stopReading();
      const total = 64 * 1024 * 1024;
      const before = process.memoryUsage();
      request.send(`HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${total}\r\n\r\n`);
      const piece = Buffer.alloc(1024 * 1024, 7);
      for (let sent = 0; sent < total; sent += piece.length) request.send(piece);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      const after = process.memoryUsage();
      const grown = after.external + after.arrayBuffers - before.external - before.arrayBuffers;
      // The provider's 64 MB wait in its own process, which is this one, as one buffer that is sent again and again.
      t.ok(grown < 24 * 1024 * 1024, `grew by ${Math.round(grown / 1048576)} MB`);
      client.readOn();
      while (client.receivedBytes < total) await new Promise((resolve) => setTimeout(resolve, 20));
      t.match(await gateway.reported(1), [{ outcome: 'ok', bytesOut: total }]);
    },
  );
}

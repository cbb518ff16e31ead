import t from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { chatHead, STREAMED_BYTES } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, form, head, startGateway } from '../../fixtures/test-gateway.ts';

const padding = 'x'.repeat(100_000);
const requests = {
  'a chat whose model is named otherwise beside it': (() => {
    const body = Buffer.from(`{"messages":["${padding}"],"model":"expensive"}`);
    return [chatHead(body.length, ['X-Vello-Model: cheap']), body] as const;
  })(),
  'a chat with two models': (() => {
    const body = Buffer.from(`{"model":"cheap","messages":["${padding}"],"model":"expensive"}`);
    return [chatHead(body.length), body] as const;
  })(),
  'a transcription whose model is named otherwise beside it': (() => {
    const body = form({ model: 'expensive' });
    return [head(body.length, [], '/vello/transcribe?model=cheap'), body] as const;
  })(),
  'a transcription with two models': (() => {
    const body = Buffer.concat([form({ model: 'cheap' }).subarray(0, -7), form({ model: 'expensive' })]);
    return [head(body.length), body] as const;
  })(),
  'a transcription whose form has bare line feeds': (() => {
    const body = Buffer.from(form().toString('latin1').replaceAll('\r\n', '\n'));
    return [head(body.length), body] as const;
  })(),
};

for (const [what, [start, body]] of Object.entries(requests)) {
  t.test(`${what} is refused with 400, not charged, and never reaches the provider whole`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    client.send(start);
    client.send(body);
    await client.until('HTTP/1.1 400 ');
    t.match(await gateway.reported(1), [{ outcome: 'ok', status: 400 }]);
    t.ok(upstream.transcript().length < start.length + body.length);
  });
}

t.test('a contradiction that comes when part of the body is with the provider breaks the call off', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send(chatHead(undefined));
  client.send(chunk(`{"model":"cheap","messages":["${'x'.repeat(STREAMED_BYTES)}`));
  const request = await upstream.next();
  await request.received(10);
  client.send(chunk('"],"model":"expensive"}'));
  await client.until('HTTP/1.1 400 ');
  await request.closed;
  t.match(await gateway.reported(1), [{ outcome: 'ok', status: 400, model: 'cheap' }]);
});

for (const [route, start, body] of [
  ['transcription', head(form().length), form()],
  ['chat', chatHead(2), Buffer.from('{}')],
] as const) {
  t.test(`a ${route} that the provider refuses for what is in it is no failure of the provider`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    client.send(start);
    client.send(body);
    const request = await upstream.next();
    await request.whole();
    request.reply(400, { 'content-type': 'application/json' }, '{"error":{"message":"The file cannot be read."}}');
    await client.until('HTTP/1.1 400 ');
    t.match(await gateway.reported(1), [{ outcome: 'ok', status: 400 }]);
  });

  t.test(
    `a ${route} whose answer the gateway cuts at its stop is reported as shutdown, not as the client's leaving`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const client = await connectRaw(t, gateway.port);
      client.send(start);
      client.send(body);
      const request = await upstream.next();
      await request.whole();
      request.send('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n');
      request.send('f\r\ndata: {"a":1}\n\n\r\n');
      await client.until('data: {"a":1}');
      await gateway.relay.drain(0);
      t.match(await gateway.reported(1), [{ outcome: 'shutdown', status: 200 }]);
    },
  );

  t.test(`a ${route} whose answer the provider cuts is reported as truncated`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    client.send(start);
    client.send(body);
    const request = await upstream.next();
    await request.whole();
    request.send('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n');
    request.send('f\r\ndata: {"a":1}\n\n\r\n');
    await client.until('data: {"a":1}');
    request.reset();
    t.match(await gateway.reported(1), [{ outcome: 'truncated', status: 200 }]);
  });
}

t.test('two models beside the body are refused before the provider hears of it', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const body = form();
  for (const [path, lines] of [
    ['/vello/transcribe?model=cheap&model=expensive', []],
    ['/vello/transcribe?model=cheap', ['X-Vello-Model: expensive']],
  ] as const) {
    const client = await connectRaw(t, gateway.port);
    client.send(head(body.length, [...lines], path));
    client.send(body);
    await client.until('HTTP/1.1 400 ');
    await client.until('names two models');
  }
  t.equal(upstream.transcript(), '');
});

import t from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { BOTH_ROUTES, chatHead, STREAMED_BYTES } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, form, head, PROVIDER_KEY, SESSION, startGateway } from '../../fixtures/test-gateway.ts';
import { wavFile } from '../../fixtures/audio-bytes.ts';

const speech = wavFile({ sampleRate: 8_000, channels: 1, bitsPerSample: 16 }, new Uint8Array(48_000));

t.test('a transcription goes through with the key in place of the token, and is reported once', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  const body = form({ file: speech });
  client.send(head(body.length));
  client.send(body);
  const request = await upstream.next();
  t.match(request.head, /^POST \/v1\/audio\/transcriptions HTTP\/1\.1\r\n/);
  t.equal(request.header('authorization'), `Bearer ${PROVIDER_KEY}`);
  t.equal(request.header('content-length'), String(body.length));
  t.equal(request.header('content-type'), 'multipart/form-data; boundary=b');
  t.ok((await request.whole()).equals(body));
  request.reply(200, { 'content-type': 'application/json' }, '{"text":"hello"}');
  const answer = await client.until('{"text":"hello"}');
  t.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(answer, /\r\nContent-Length: 16\r\n/i);
  t.match(answer, new RegExp(`\r\nX-Session-Id: ${SESSION}\r\n`, 'i'));
  t.match(answer, /\r\nX-Request-Id: [0-9a-f-]{36}\r\n/i);
  t.equal(answer.match(/\r\ndate:/gi)?.length ?? 0, 1);
  const [event] = await gateway.reported(1);
  t.match(event, {
    type: 'transcribe',
    sessionId: SESSION,
    userId: '01939f5e-7f00-7000-8000-000000000001',
    deviceId: '01939f5e-7f00-7000-8000-000000000002',
    provider: 'main',
    model: 'm-1',
    keyId: 'key-1',
    outcome: 'ok',
    status: 200,
    bytesIn: body.length,
    bytesOut: 16,
    audioSeconds: 3,
    audioSource: 'header',
    attempts: 1,
  });
  t.equal(event?.result, undefined);
  t.equal(gateway.events.length, 1);
});

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: the first bytes of an upload reach the provider before its last are sent`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    const body = route.bodyOf(STREAMED_BYTES + 5_000);
    client.send(route.head(body.length));
    client.send(body.subarray(0, STREAMED_BYTES));
    const request = await upstream.next();
    await request.received(STREAMED_BYTES);
    t.ok(request.body().equals(body.subarray(0, STREAMED_BYTES)));
    client.send(body.subarray(STREAMED_BYTES));
    t.ok(route.isSame(await request.whole(), body));
    request.reply(200, { 'content-type': 'application/json' }, '{}');
    await client.until('{}');
  });
}

t.test('a chunked upload is sent on in chunks, whatever their size', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  const body = form({ file: speech });
  client.send(head(undefined));
  client.send(chunk(body.subarray(0, 10)));
  const request = await upstream.next();
  t.equal(request.header('transfer-encoding'), 'chunked');
  t.equal(request.header('content-length'), undefined);
  await request.received(10);
  for (let at = 10; at < body.length; at += 7_000) client.send(chunk(body.subarray(at, at + 7_000)));
  client.send('0\r\n\r\n');
  t.ok((await request.whole()).equals(body));
  request.reply(200, { 'content-type': 'application/json' }, '{}');
  await client.until('{}');
  t.match(await gateway.reported(1), [{ audioSeconds: 3, bytesIn: body.length, outcome: 'ok' }]);
});

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: each piece of a streamed answer reaches the client when it is sent, and the bytes are the same`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const client = await connectRaw(t, gateway.port);
      const body = route.body;
      client.send(route.head(body.length));
      client.send(body);
      const request = await upstream.next();
      await request.whole();
      request.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
      const sent: string[] = [];
      for (const text of ['one', 'two', 'three']) {
        const event = route.word(text);
        sent.push(event);
        request.send(chunk(event));
        await client.until(`"${text}"`);
      }
      const done = route.closing;
      request.send(chunk(done));
      request.send('0\r\n\r\n');
      const answer = await client.until('\r\n0\r\n\r\n');
      const [answerHead, ...rest] = answer.split('\r\n\r\n');
      t.match(answerHead, /content-type: text\/event-stream/i);
      t.match(answerHead, /x-accel-buffering: no/i);
      t.match(answerHead, /transfer-encoding: chunked/i);
      t.equal(rest.join('\r\n\r\n').replace(/(^|\r\n)[0-9a-f]+\r\n/g, ''), [...sent, done].join('') + '\r\n');
      t.match(await gateway.reported(1), [
        route.type === 'transcribe'
          ? { outcome: 'ok', audioSeconds: 2, audioSource: 'usage', usage: { type: 'duration', seconds: 2 } }
          : { outcome: 'ok', audioSource: 'none', usage: { completion_tokens: 4, estimated: true } },
      ]);
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: an event stream that stops without its closing event is passed on as it is and reported as truncated`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const client = await connectRaw(t, gateway.port);
      const body = route.body;
      client.send(route.head(body.length));
      client.send(body);
      const request = await upstream.next();
      await request.whole();
      request.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
      request.send(chunk(route.word('a')));
      request.send('0\r\n\r\n');
      const answer = await client.until('\r\n0\r\n\r\n');
      t.notMatch(answer, /DONE|error/);
      t.match(await gateway.reported(1), [{ outcome: 'truncated', status: 200 }]);
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: a provider that answers while the upload is still coming is heard at once`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    const body = route.bodyOf(STREAMED_BYTES + 5_000);
    client.send(route.head(body.length));
    client.send(body.subarray(0, STREAMED_BYTES));
    const request = await upstream.next();
    await request.received(STREAMED_BYTES);
    request.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
    request.send(chunk('data: early\n\n'));
    await client.until('data: early');
    client.send(body.subarray(STREAMED_BYTES));
    t.ok(route.isSame(await request.whole(), body));
    request.send(chunk('data: [DONE]\n\n'));
    request.send('0\r\n\r\n');
    await client.until('\r\n0\r\n\r\n');
    t.match(await gateway.reported(1), [{ outcome: 'ok' }]);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: interim answers are swallowed`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    const body = route.body;
    client.send(route.head(body.length));
    client.send(body);
    const request = await upstream.next();
    await request.whole();
    request.send('HTTP/1.1 102 Processing\r\n\r\n');
    request.send('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
    request.reply(200, { 'content-type': 'application/json' }, '{"text":""}');
    const answer = await client.until('{"text":""}');
    t.match(answer, /^HTTP\/1\.1 200 OK/);
    t.notMatch(answer, /^HTTP\/1\.1 10|^link:/im);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: connections to the provider and from the client are used again`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    const body = route.body;
    for (let round = 1; round <= 3; round += 1) {
      client.send(route.head(body.length));
      client.send(body);
      const request = await upstream.next();
      await request.whole();
      request.reply(200, { 'content-type': 'application/json' }, `{"round":${round}}`);
      await client.until(`{"round":${round}}`);
    }
    t.equal(upstream.connections, 1);
    t.equal((await gateway.reported(3)).length, 3);
  });
}

t.test(
  'a provider without the model is chosen by the model in the body, wherever it stands in the first 64 kB',
  async (t) => {
    const main = await startScriptedUpstream(t);
    const other = await startScriptedUpstream(t);
    const gateway = await startGateway(t, {
      providers: { main: main.url, other: other.url },
      providerByModel: new Map([['special', 'other']]),
    });
    const late = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'),
      Buffer.alloc(40_000),
      Buffer.from('\r\n--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nspecial\r\n--b--\r\n'),
    ]);
    const tooLate = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'),
      Buffer.alloc(100_000),
      Buffer.from('\r\n--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nspecial\r\n--b--\r\n'),
    ]);
    const cases = [
      { body: form({ model: 'special' }), lines: [], at: other },
      { body: late, lines: [], at: other },
      { body: form({ model: 'special' }), lines: ['X-Vello-Model: special'], at: other },
      { body: form({ model: 'm-1' }), lines: [], at: main },
      { body: tooLate, lines: ['X-Vello-Model: special'], at: other },
    ];
    const chats = [
      { body: Buffer.from('{"model":"special"}'), lines: [], at: other },
      { body: Buffer.from(`{"messages":"${'x'.repeat(40_000)}","model":"special"}`), lines: [], at: other },
      { body: Buffer.from('{"messages":[]}'), lines: ['X-Vello-Model: special'], at: other },
      { body: Buffer.from('{"model":"m-1"}'), lines: [], at: main },
    ];
    for (const { body, lines, at } of [...cases, ...chats]) {
      const client = await connectRaw(t, gateway.port);
      client.send(body[0] === 0x7b ? chatHead(body.length, lines) : head(body.length, lines));
      client.send(body);
      const request = await at.next();
      t.ok((await request.whole()).equals(body));
      request.reply(200, { 'content-type': 'application/json' }, '{}');
      await client.until('{}');
    }
    const client = await connectRaw(t, gateway.port);
    const special = form({ model: 'special' });
    client.send(head(special.length, [], '/vello/transcribe?model=special'));
    client.send(special);
    await (await other.next()).whole();
    t.equal(other.count, 8);
  },
);

import t from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { BOTH_ROUTES } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, form, grantOf, head, SESSION, startGateway } from '../../fixtures/test-gateway.ts';

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: only listed headers reach the provider, and only listed ones the client`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    client.send(
      route.head(route.body.length, [
        'Connection: close, X-Hop',
        'X-Hop: 1',
        'Keep-Alive: timeout=5',
        'Proxy-Authorization: Basic eA==',
        'Proxy-Connection: keep-alive',
        'TE: trailers',
        'Trailer: X-T',
        'Upgrade: h2c',
        'Expect: 100-continue',
        'Cookie: a=b',
        'X-Api-Key: mine',
        'X-Forwarded-For: 1.2.3.4',
        'Forwarded: for=1.2.3.4',
        'X-Stainless-Lang: js',
        'OpenAI-Organization: org-client',
        'Accept: text/event-stream',
        'OpenAI-Beta: x=v1',
        'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      ]),
    );
    await client.until('100 Continue');
    client.send(route.body);
    const request = await upstream.next();
    await request.whole();
    const names = request.head
      .split('\r\n')
      .slice(1)
      .map((line) => line.slice(0, line.indexOf(':')).toLowerCase())
      .sort();
    t.same(names, [
      'accept',
      'accept-encoding',
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'openai-beta',
      'traceparent',
      'user-agent',
    ]);
    t.equal(request.header('connection'), 'keep-alive');
    t.equal(request.header('host'), new URL(upstream.url).host);
    t.equal(request.header('accept-encoding'), 'identity');
    request.reply(
      200,
      {
        'content-type': 'application/json',
        'x-request-id': 'theirs',
        'set-cookie': 'a=b',
        'openai-organization': 'org-ours',
        'x-ratelimit-remaining-requests': '5',
        server: 'theirs',
        date: 'Thu, 01 Jan 1970 00:00:00 GMT',
        'keep-alive': 'timeout=5',
        'openai-processing-ms': '12',
      },
      '{"text":"x"}',
    );
    const answer = await client.until('{"text":"x"}');
    t.notMatch(answer, /theirs|set-cookie|org-ours|ratelimit|1970|keep-alive: timeout/i);
    t.match(answer, /openai-processing-ms: 12/);
    t.equal(answer.match(/content-length:/gi)?.length, 1);
    t.match(await gateway.reported(1), [{ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }]);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a request whose length can be read in two ways reaches no provider and ends its connection`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const cases = [
        ['Content-Length: 3', 'Content-Length: 5'],
        ['Content-Length: 5', 'Content-Length: 5'],
        ['Content-Length: 5', 'Transfer-Encoding: chunked'],
        ['Transfer-Encoding: gzip, chunked'],
        ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
        ['Content-Length: +5'],
        ['Content-Length: 0x5'],
      ];
      for (const lines of cases) {
        const client = await connectRaw(t, gateway.port);
        client.send(`${route.head(0).replace('Content-Length: 0', lines.join('\r\n'))}abc`);
        const answer = await client.ended;
        t.match(answer, /^HTTP\/1\.1 400 /, lines.join(' + '));
      }
      t.equal(upstream.connections, 0);
      t.equal(gateway.events.length, 0);
    },
  );
}

t.test(
  'none, a forged, an expired, a revoked or a suspended token: the provider sees nothing and nothing is reported',
  async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const now = Date.now();
    gateway.table.apply({ op: 'issue', grant: grantOf('expired', now - 1) });
    gateway.table.apply({ op: 'issue', grant: { ...grantOf('revoked', now + 60_000), familyId: 'other' } });
    gateway.table.apply({
      op: 'issue',
      grant: { ...grantOf('broke', now + 60_000), userId: 'broke', familyId: 'broke' },
    });
    gateway.table.apply({ op: 'revoke', scope: { familyId: 'other' } });
    gateway.table.apply({ op: 'suspend', userId: 'broke' });
    const cases: [string, number, string][] = [
      ['X-None: 1\r\nAuthorization:', 401, 'AUTH_TOKEN_MISSING'],
      ['Authorization: Bearer forged', 401, 'AUTH_TOKEN_UNKNOWN'],
      ['Authorization: Bearer expired', 401, 'AUTH_TOKEN_UNKNOWN'],
      ['Authorization: Bearer revoked', 401, 'AUTH_TOKEN_UNKNOWN'],
      ['Authorization: Basic good', 401, 'AUTH_TOKEN_MISSING'],
      ['Authorization: Bearer broke', 402, 'CREDITS_EXHAUSTED'],
    ];
    for (const path of ['/vello/transcribe', '/v1/audio/transcriptions', '/v1/chat/completions']) {
      for (const [line, status, code] of cases) {
        const client = await connectRaw(t, gateway.port);
        client.send(head(form().length, [line.includes('\r\n') ? (line.split('\r\n')[1] ?? '') : line], path));
        client.send(form());
        const answer = await client.until(`"code":"${code}"`);
        t.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${line} on ${path}`);
        t.match(answer, path.startsWith('/v1/') ? /"error":\{/ : /application\/problem\+json/);
        t.match(answer, /x-request-id: /i);
      }
    }
    t.equal(upstream.connections, 0);
    t.equal(gateway.events.length, 0);
  },
);

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a refusal during a long upload is heard at once and the connection stays usable`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const client = await connectRaw(t, gateway.port);
      const body = Buffer.alloc(5_000_000);
      client.send(route.head(body.length, ['Authorization: Bearer forged']));
      client.send(body.subarray(0, 100_000));
      await client.until('AUTH_TOKEN_UNKNOWN');
      await client.sendAll(body.subarray(100_000));
      client.send(route.head(route.body.length));
      client.send(route.body);
      (await upstream.next()).reply(200, {}, 'second');
      t.match(await client.until('second'), /401[^]*200/);
    },
  );
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: a refusal that ends the connection waits for the rest of the upload`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const lines = ['Authorization: Bearer forged', 'Connection: close'];
    for (let time = 0; time < 5; time += 1) {
      const client = await connectRaw(t, gateway.port);
      await client.sendAll(
        Buffer.concat([Buffer.from(route.head(route.body.length, lines)), route.body.subarray(0, 9)]),
      );
      await new Promise((resolve) => setImmediate(resolve));
      await client.sendAll(route.body.subarray(9));
      t.match(await client.ended, /^HTTP\/1\.1 401 [^]*AUTH_TOKEN_UNKNOWN/);
    }
  });
}

t.test('a header in several lines reaches the provider as one list, without those that Connection names', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  const lines = ['Accept: a/b', 'Connection: Accept-Language', 'Accept: c/d', 'Accept-Language: de', 'Connection: X-A'];
  client.send(Buffer.concat([Buffer.from(head(form().length, lines)), form()]));
  const request = await upstream.next();
  t.equal(request.header('accept'), 'a/b, c/d');
  t.notMatch(request.head, /accept-language/i);
  request.reply(200, {}, 'fine');
  await client.until('fine');
});

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: a refusal of an upload without end is heard at once, and reading stops at a bound`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const client = await connectRaw(t, gateway.port);
      client.send(route.head(undefined, ['Authorization: Bearer forged']));
      client.send(chunk(Buffer.alloc(1_000)));
      await client.until('AUTH_TOKEN_UNKNOWN');
      const piece = chunk(Buffer.alloc(64 * 1024));
      for (let sent = 0; sent < 200 && !client.isEnded(); sent += 1) {
        client.send(piece);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      t.match(await client.ended, /^HTTP\/1\.1 401 /);
    },
  );
}

t.test('what the routes do not take is refused before any provider is called', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const ask = async (text: string) => {
    const client = await connectRaw(t, gateway.port);
    client.send(text);
    return client.until('"code"');
  };
  const start = 'HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n';
  const session = `X-Session-Id: ${SESSION}\r\n`;
  const multipart = 'Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 0\r\n';
  t.match(await ask(`POST /vello/transcribe ${start}${multipart}\r\n`), /^HTTP\/1\.1 400 [^]*X-Session-Id is missing/);
  t.match(
    await ask(`POST /vello/transcribe ${start}X-Session-Id: me\r\n${multipart}\r\n`),
    /^HTTP\/1\.1 400 [^]*must be a UUID/,
  );
  const json = 'Content-Type: application/json\r\nContent-Length: 0\r\n\r\n';
  t.match(await ask(`POST /vello/transcribe ${start}${session}${json}`), /^HTTP\/1\.1 415 /);
  t.match(await ask(`POST /v1/chat/completions ${start}${multipart}\r\n`), /^HTTP\/1\.1 415 /);
  t.match(
    await ask(`POST /v1/audio/transcriptions ${start}Content-Encoding: gzip\r\n${multipart}\r\n`),
    /^HTTP\/1\.1 415 /,
  );
  t.match(await ask(`GET /vello/transcribe ${start}\r\n`), /^HTTP\/1\.1 405 /);
  t.match(await ask(`POST /vello/../v1/models ${start}Content-Length: 0\r\n\r\n`), /^HTTP\/1\.1 40[45] /);
  t.equal(upstream.connections, 0);
  t.equal(gateway.events.length, 0);
});

t.test('a HEAD request gets no body, and models are listed without an event', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send('GET /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n\r\n');
  const request = await upstream.next();
  t.match(request.head, /^GET \/v1\/models HTTP\/1\.1/);
  request.reply(200, { 'content-type': 'application/json' }, '{"data":[]}');
  await client.until('{"data":[]}');
  t.equal(gateway.events.length, 0);
  const headClient = await connectRaw(t, gateway.port);
  headClient.send('HEAD /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n\r\n');
  const headRequest = await upstream.next();
  t.match(headRequest.head, /^HEAD \/v1\/models HTTP\/1\.1/);
  headRequest.send('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n');
  const answer = await headClient.until('\r\n\r\n');
  t.match(answer, /content-length: 11/i);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.ok(headClient.text().endsWith('\r\n\r\n'), JSON.stringify(answer));
});

for (const route of BOTH_ROUTES) {
  t.test(
    `${route.name}: long headers pass whether they come in one packet or in two, and too long ones are a 431`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const long = `X-Long: ${'a'.repeat(6_000)}`;
      for (const isSplit of [false, true]) {
        const client = await connectRaw(t, gateway.port);
        const text = route.head(route.body.length, [long]);
        if (isSplit) {
          client.send(text.slice(0, 3_000));
          await new Promise((resolve) => setTimeout(resolve, 50));
          client.send(text.slice(3_000));
        } else client.send(text);
        client.send(route.body);
        (await upstream.next()).reply(200, {}, 'fine');
        await client.until('fine');
      }
      for (const isSplit of [false, true]) {
        const client = await connectRaw(t, gateway.port);
        const text = route.head(route.body.length, [`X-Long: ${'a'.repeat(40_000)}`]);
        if (isSplit) {
          client.send(text.slice(0, 20_000));
          await new Promise((resolve) => setTimeout(resolve, 50));
          client.send(text.slice(20_000));
        } else client.send(text);
        t.match(await client.ended, /^HTTP\/1\.1 431 /);
      }
    },
  );
}

t.test('a model or session that a caller makes up cannot write headers', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  const body = form({ model: 'a\r\nX-Injected:1' });
  client.send(head(body.length, [], '/vello/transcribe?model=a%0d%0aX-Injected:1'));
  client.send(body);
  const request = await upstream.next();
  t.notMatch(request.head, /injected/i);
  request.reply(200, {}, 'fine');
  t.notMatch(await client.until('fine'), /injected/i);
  t.match(await gateway.reported(1), [{ outcome: 'ok' }]);
});

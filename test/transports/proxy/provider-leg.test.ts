import t from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { chatHead } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, startGateway } from '../../fixtures/test-gateway.ts';

t.test('what asks for nothing to be done is asked again where the provider breaks off, and once', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  for (const method of ['GET', 'HEAD']) {
    const client = await connectRaw(t, gateway.port);
    client.send(`${method} /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n\r\n`);
    (await upstream.next()).reset();
    (await upstream.next()).reply(200, { 'content-type': 'application/json' }, method === 'GET' ? '{}' : '');
    t.match(await client.until('\r\n\r\n'), /^HTTP\/1\.1 200 /);
    const other = await connectRaw(t, gateway.port);
    other.send(`${method} /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n\r\n`);
    (await upstream.next()).reset();
    (await upstream.next()).reset();
    t.match(await other.until('\r\n\r\n'), /^HTTP\/1\.1 502 /);
  }
  t.equal(upstream.count, 8);
});

t.test('a POST that was written is not, also where its body is empty', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send(chatHead(0));
  const request = await upstream.next();
  t.equal(request.header('content-length'), '0');
  request.reset();
  await client.until('UPSTREAM_FAILED');
  t.match(await gateway.reported(1), [{ outcome: 'upstream_error', attempts: 1 }]);
  t.equal(upstream.count, 1);
});

t.test('a chunked body that has arrived whole is sent on with its length', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  const body = '{"model":"m-1","messages":[]}';
  client.send(chatHead(0).replace('Content-Length: 0', 'Transfer-Encoding: chunked'));
  client.send(`${chunk(body).toString()}0\r\n\r\n`);
  const request = await upstream.next();
  t.equal((await request.whole()).toString(), body);
  t.equal(request.header('content-length'), String(body.length));
  t.equal(request.header('transfer-encoding'), undefined);
  request.reply(200, { 'content-type': 'application/json' }, '{}');
  await client.until('{}');
});

t.test('an interim answer that nobody asked for is passed over', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send('GET /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n\r\n');
  const request = await upstream.next();
  request.send('HTTP/1.1 100 Continue\r\n\r\n');
  request.reply(200, { 'content-type': 'application/json' }, '{"data":[]}');
  t.match(await client.until('{"data":[]}'), /^HTTP\/1\.1 200 /);
});

/** Most bytes of an upload, by its model: 413 before the provider has more than that, one event, no charge. */
import t, { type Test } from 'tap';
import { creditsFor } from '../../../actors/credits/credits-for.ts';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { chatHead } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, form, head, startGateway, type TestGateway } from '../../fixtures/test-gateway.ts';

const MOST = 100_000;

async function start(t: Test) {
  const upstream = await startScriptedUpstream(t);
  const uploadBytes = { small: MOST, large: 3 * MOST, '*': 2 * MOST };
  const gateway = await startGateway(t, { providers: { main: upstream.url }, uploadBytes });
  return { upstream, gateway, client: await connectRaw(t, gateway.port) };
}

async function refusedFreely(t: Test, gateway: TestGateway): Promise<void> {
  const [event] = await gateway.reported(1);
  t.match(event, { outcome: 'ok', status: 413 });
  const cost = { creditsPer1kInput: 1, creditsPer1kOutput: 1, minimumCredits: 1 };
  t.equal(event && creditsFor(event, cost), 0);
}

/** A form of exactly this many bytes, with its file behind the model. */
const formOf = (bytes: number, model: string) =>
  form({ model, file: Buffer.alloc(bytes - form({ model, file: Buffer.alloc(0) }).length) });

t.test('what is announced too long is refused before anything is sent on', async (t) => {
  for (const [lines, announced] of [
    [['X-Vello-Model: small'], MOST + 1],
    [['X-Vello-Model: large'], 3 * MOST + 1],
    [[], 2 * MOST + 1],
  ] as const) {
    const { upstream, gateway, client } = await start(t);
    client.send(head(announced, lines));
    t.match(await client.until('PAYLOAD_TOO_LARGE'), / 413 [^]*problem\+json/);
    await refusedFreely(t, gateway);
    t.equal(upstream.count, 0);
  }
});

t.test('what is as long as it may be passes whole', async (t) => {
  for (const [model, bytes] of [
    ['small', MOST],
    ['other', 2 * MOST],
  ] as const) {
    const { upstream, client } = await start(t);
    const body = formOf(bytes, model);
    client.send(head(body.length, [`X-Vello-Model: ${model}`]));
    client.send(body);
    const request = await upstream.next();
    t.equal((await request.whole()).length, bytes);
    request.reply(200, { 'content-type': 'application/json' }, '{"text":"words"}');
    await client.until('words');
  }
});

t.test('what is not announced is broken off before the provider has more than it may', async (t) => {
  const { upstream, gateway, client } = await start(t);
  const body = formOf(MOST + 1, 'small');
  client.send(head(undefined));
  client.send(chunk(body.subarray(0, 60_000)));
  const request = await upstream.next();
  await request.received(60_000);
  client.send(chunk(body.subarray(60_000)));
  t.match(await client.until('PAYLOAD_TOO_LARGE'), / 413 /);
  await request.closed;
  t.equal(request.body().length, 60_000);
  await refusedFreely(t, gateway);
});

t.test('a model that is named behind the file bounds what has been sent by then', async (t) => {
  const { upstream, gateway, client } = await start(t);
  const file = Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n');
  const model = Buffer.from('\r\n--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nsmall\r\n--b--\r\n');
  const body = Buffer.concat([file, Buffer.alloc(MOST), model]);
  client.send(head(body.length));
  client.send(body.subarray(0, MOST));
  const request = await upstream.next();
  client.send(body.subarray(MOST));
  t.match(await client.until('PAYLOAD_TOO_LARGE'), / 413 /);
  await request.closed;
  await refusedFreely(t, gateway);
});

t.test('a chat has the bound of its model and no other', async (t) => {
  const { upstream, gateway, client } = await start(t);
  client.send(chatHead(MOST + 1, ['X-Vello-Model: small']));
  const refusal = await client.until('PAYLOAD_TOO_LARGE');
  t.match(refusal, new RegExp(`"At most ${MOST} bytes are taken for this model."[^]*"type":"invalid_request_error"`));
  await refusedFreely(t, gateway);
  const other = await connectRaw(t, gateway.port);
  const body = Buffer.from(`{"model":"other","x":"${'x'.repeat(3 * MOST)}"}`);
  other.send(chatHead(body.length));
  other.send(body);
  const request = await upstream.next();
  await request.whole();
  request.reply(200, { 'content-type': 'application/json' }, '{}');
  await other.until('{}');
});

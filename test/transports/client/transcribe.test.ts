import t from 'tap';
import { transcribe } from '../../../transports/client/transcribe.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';

const AUDIO = Buffer.from('some audio bytes');
const gateway = await startScriptedUpstream(t);
const closing = new AbortController();
t.teardown(() => closing.abort());

function start(options: { stream?: boolean } = {}) {
  const replaced: string[] = [];
  const deps = {
    gatewayUrl: gateway.url,
    token: async () => 'first-token',
    replace: async (refused: string) => {
      replaced.push(refused);
      return 'second-token';
    },
    signal: closing.signal,
  };
  return { transcription: transcribe(deps, AUDIO, { model: 'm', ...options }), replaced };
}

const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: r-1\r\nConnection: close\r\n\r\n';
const delta = (text: string) => `data: ${JSON.stringify({ type: 'transcript.text.delta', delta: text })}\n\n`;
const DONE = `data: ${JSON.stringify({ type: 'transcript.text.done', text: '' })}\n\n`;

async function collect(pieces: AsyncIterable<string>) {
  const heard: string[] = [];
  let error: unknown;
  try {
    for await (const piece of pieces) heard.push(piece);
  } catch (caught) {
    error = caught;
  }
  return { heard, error };
}

t.test('text comes piece by piece, and the upload names its session, model and length', async (t) => {
  const { transcription } = start();
  const collected = collect(transcription);
  const request = await gateway.next();
  const body = (await request.whole()).toString();
  t.equal(request.header('x-session-id'), transcription.sessionId);
  t.equal(request.header('authorization'), 'Bearer first-token');
  t.equal(Number(request.header('content-length')), Buffer.byteLength(body));
  t.ok(body.indexOf('name="model"') < body.indexOf(AUDIO.toString()));
  request.send(STREAM_HEAD);
  // Cut inside the four bytes of one character.
  const bytes = Buffer.from(delta('über ') + delta('🌧 fällt') + DONE);
  for (const byte of bytes) request.send(Buffer.from([byte]));
  request.finish();
  t.strictSame(await collected, { heard: ['über ', '🌧 fällt'], error: undefined });
});

t.test('a whole answer is one piece', async (t) => {
  const text = start({ stream: false }).transcription.text();
  const request = await gateway.next();
  t.notOk((await request.whole()).includes('name="stream"'));
  request.reply(200, { 'Content-Type': 'application/json', 'X-Request-Id': 'r-1' }, '{"text":"all of it"}');
  t.equal(await text, 'all of it');
});

t.test('a refused token is replaced once, and the recording is sent again', async (t) => {
  const { transcription, replaced } = start({ stream: false });
  const text = transcription.text();
  const problem = { 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r-1' };
  const first = await gateway.next();
  await first.whole();
  first.reply(401, problem, '{"code":"AUTH_TOKEN_UNKNOWN"}');
  const second = await gateway.next();
  t.equal(second.header('authorization'), 'Bearer second-token');
  t.ok((await second.whole()).includes(AUDIO));
  second.reply(200, { 'Content-Type': 'application/json', 'X-Request-Id': 'r-1' }, '{"text":"words"}');
  t.equal(await text, 'words');
  t.strictSame(replaced, ['first-token']);
});

t.test('a refusal has the code, the request id and the time to wait of the answer', async (t) => {
  const refused = collect(start().transcription);
  const request = await gateway.next();
  await request.whole();
  const headers = { 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r-1', 'Retry-After': '7' };
  request.reply(402, headers, '{"code":"CREDITS_EXHAUSTED","detail":"All used."}');
  const expected = { code: 'CREDITS_EXHAUSTED', status: 402, requestId: 'r-1', retryAfterMs: 7000, retryable: false };
  t.match((await refused).error, expected);
});

t.test('a refusal of fields says what is wrong with which', async (t) => {
  const refused = collect(start().transcription);
  const request = await gateway.next();
  await request.whole();
  const headers = { 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r-1' };
  const errors = [{ field: '/model', problem: 'must be a string' }, { field: 7 }, null];
  request.reply(422, headers, JSON.stringify({ code: 'INVALID_FIELDS', detail: 'Some fields are invalid.', errors }));
  t.match((await refused).error, { message: 'Some fields are invalid. /model: must be a string.' });
});

t.test('a stream that breaks off, or reports a failure, is an error after the pieces that came', async (t) => {
  for (const [ending, code] of [
    ['', 'PROTOCOL'],
    ['data: {"error":{"code":"UPSTREAM_FAILED","message":"It broke."}}\n\n', 'UPSTREAM_FAILED'],
  ] as const) {
    const collected = collect(start().transcription);
    const request = await gateway.next();
    await request.whole();
    request.send(STREAM_HEAD + delta('half') + ending);
    request.finish();
    t.match(await collected, { heard: ['half'], error: { code } });
  }
});

t.test('leaving the loop ends the call', async (t) => {
  const { transcription } = start();
  const left = (async () => {
    for await (const piece of transcription) return piece;
    return undefined;
  })();
  const request = await gateway.next();
  await request.whole();
  request.send(STREAM_HEAD + delta('enough'));
  t.equal(await left, 'enough');
  await request.closed;
});

t.test('what a captive portal answers is a network trouble: no verdict, no new token, never a raw error', async (t) => {
  for (const [status, type, body] of [
    [200, 'text/html', '<html>login</html>'],
    [200, 'application/json', '{"text":"log in first"}'],
    [401, 'text/html', ''],
    [401, 'application/json', '{"code":"AUTH_TOKEN_UNKNOWN"}'],
    [403, 'text/html', ''],
    [511, 'text/html', ''],
  ] as const) {
    const { transcription, replaced } = start();
    const refused = collect(transcription);
    const request = await gateway.next();
    await request.whole();
    request.reply(status, { 'Content-Type': type }, body);
    t.match(await refused, { heard: [], error: { code: 'NETWORK', retryable: true } }, `${status} ${type}`);
    t.strictSame(replaced, []);
  }
});

import { EventEmitter, once } from 'node:events';
import t from 'tap';
import { LIMITS } from '../../../config/limits.ts';
import { LiveRefusal, startLiveGateway } from '../../fixtures/live-gateway.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { startRealtimeProvider } from '../../fixtures/realtime-provider.ts';
import { pass } from '../../fixtures/settled.ts';
import { grantOf, PROVIDER_KEY, SESSION } from '../../fixtures/test-gateway.ts';

const SECOND = new Uint8Array(48_000);

t.test('a desktop speaks, a provider answers, and one event says what was sent on', async (t) => {
  const provider = await startRealtimeProvider(t);
  const gateway = await startLiveGateway(t, provider.url);
  const desktop = await gateway.connect('format=pcm16&rate=24000&model=m-1&language=en');
  t.match(await desktop.next('ready'), { session_id: SESSION, heard: 0, resume_within_ms: 30_000 });
  const caller = await provider.next();
  t.equal(caller.url, '/v1/realtime?intent=transcription');
  t.equal(caller.headers.authorization, `Bearer ${PROVIDER_KEY}`);
  t.notOk(caller.headers['openai-beta'], 'the beta is over');
  t.same((await caller.configure()).session, {
    type: 'transcription',
    audio: {
      input: {
        format: { type: 'audio/pcm', rate: 24_000 },
        transcription: { model: 'm-1', language: 'en' },
        turn_detection: { type: 'server_vad' },
      },
    },
  });
  desktop.audio(SECOND.fill(7));
  desktop.audio(SECOND.subarray(0, 24_000));
  await caller.next('input_audio_buffer.append');
  await caller.next('input_audio_buffer.append');
  t.same(caller.audio(), Buffer.alloc(72_000, 7), 'byte for byte');
  caller.say('item_1', 'Hello there.', { startMs: 120, endMs: 900 });
  t.match(await desktop.next('partial'), { item: 0, at: 0, text: 'Hello' });
  t.match(await desktop.next('partial'), { item: 0, at: 5, text: ' there.' });
  t.match(await desktop.next('final'), { seq: 1, item: 0, text: 'Hello there.', start_ms: 120, end_ms: 900 });
  desktop.send({ type: 'end' });
  await caller.next('input_audio_buffer.commit');
  caller.say('item_2', 'Bye.');
  t.match(await desktop.next('final'), { seq: 2, item: 1 });
  t.match(await desktop.next('end'), { audio_seconds: 1.5, reason: 'asked' });
  t.equal(await caller.closed, 1000);
  t.match(await gateway.reported(1), [
    {
      ...{
        type: 'transcribe',
        outcome: 'ok',
        status: 101,
        sessionId: SESSION,
        provider: 'main',
        model: 'm-1',
        keyId: 'key-1',
      },
      ...{ audioSeconds: 1.5, audioSource: 'header', bytesIn: 72_000, attempts: 1 },
      usage: { type: 'tokens', input_tokens: 20, output_tokens: 4, total_tokens: 24 },
    },
  ]);
  desktop.close();
  await desktop.closed;
  t.equal(gateway.events.length, 1);
});

t.test('who may not is refused before the upgrade, and no provider is called', async (t) => {
  const provider = await startRealtimeProvider(t);
  const gateway = await startLiveGateway(t, provider.url, { requestsPerUser: 1 });
  const good = 'format=pcm16&rate=24000&model=m-1';
  const refused: readonly [
    string,
    Readonly<Record<string, string>>,
    { readonly status: number; readonly code: string },
  ][] = [
    [good, { authorization: '' }, { status: 401, code: 'AUTH_TOKEN_MISSING' }],
    [good, { authorization: 'Bearer bad' }, { status: 401, code: 'AUTH_TOKEN_UNKNOWN' }],
    [good, { 'x-session-id': 'x' }, { status: 400, code: 'BAD_REQUEST' }],
    [good, { 'x-vello-model': 'm-2' }, { status: 400, code: 'BAD_REQUEST' }],
    ['format=pcm16&rate=24000', {}, { status: 400, code: 'BAD_REQUEST' }],
    ['format=pcm16&rate=24001&model=m-1', {}, { status: 400, code: 'BAD_REQUEST' }],
    ['format=opus&rate=24000&model=m-1', {}, { status: 400, code: 'BAD_REQUEST' }],
    ['format=mp3&model=m-1', {}, { status: 400, code: 'BAD_REQUEST' }],
    [`${good}&language=%22`, {}, { status: 400, code: 'BAD_REQUEST' }],
    ['live=x', {}, { status: 400, code: 'BAD_REQUEST' }],
    [`live=${SESSION}&seq=-1`, {}, { status: 400, code: 'BAD_REQUEST' }],
    [`live=${SESSION}`, {}, { status: 404, code: 'LIVE_UNKNOWN' }],
  ];
  for (const [query, headers, refusal] of refused)
    await t.rejects(gateway.connect(query, headers), new LiveRefusal(refusal.status, refusal.code), query);
  gateway.table.apply({ op: 'suspend', userId: grantOf('good', 0).userId });
  await t.rejects(gateway.connect(good), new LiveRefusal(402, 'CREDITS_EXHAUSTED'));
  gateway.table.apply({ op: 'reinstate', userId: grantOf('good', 0).userId });
  t.equal(provider.callers.length, 0);
  await gateway.connect(good);
  await t.rejects(gateway.connect(good), new LiveRefusal(429, 'RATE_LIMITED'));
  t.equal(gateway.metrics.value('vello_gateway_live_sockets_total', { result: 'CREDITS_EXHAUSTED' }), 1);
  gateway.providers.clear();
  await t.rejects(gateway.connect(good), new LiveRefusal(503, 'UNAVAILABLE'));
});

t.test(
  'a provider that says more than anybody can, or nests its account without end, is its own failure',
  async (t) => {
    const provider = await startRealtimeProvider(t);
    const gateway = await startLiveGateway(t, provider.url);
    const desktop = await gateway.connect();
    const caller = await provider.next();
    await caller.configure();
    desktop.audio(Buffer.alloc(4800));
    await caller.next('input_audio_buffer.append');
    const [open, close] = ['{"a":'.repeat(50_000), '}'.repeat(50_000)];
    for (const item of ['a', 'b']) {
      const type = 'conversation.item.input_audio_transcription.completed';
      caller.sendText(`{"type":"${type}","item_id":"${item}","transcript":"Said.","usage":${open}1${close}}`);
      t.match(await desktop.next('final'), { text: 'Said.' });
    }
    for (let item = 0; item <= LIMITS.live.items; item += 1)
      caller.send({ type: 'input_audio_buffer.committed', item_id: `item ${item}` });
    t.match(await desktop.next('error'), { code: 'UPSTREAM_FAILED' });
    t.equal(await desktop.closed, 1011);
    const [event] = await gateway.reported(1);
    t.match(event, { outcome: 'truncated', audioSeconds: 0.1, usage: undefined });
    t.notOk(gateway.log.lines.some(({ message }) => message === 'actor crashed'));
  },
);

t.test('a browser, which can set no header, says all in the query', async (t) => {
  const provider = await startRealtimeProvider(t);
  const gateway = await startLiveGateway(t, provider.url, { defaultModel: 'usual' });
  const query = `format=opus&token=good&session=${SESSION}`;
  const desktop = await gateway.connect(query, { authorization: '', 'x-session-id': '' });
  t.match(await desktop.next('ready'), { session_id: SESSION });
  const { session } = await (await provider.next()).configure();
  t.match(session, { audio: { input: { transcription: { model: 'usual' } } } });
  t.notOk(JSON.stringify(gateway.log.lines).includes('token=good'), 'no token is logged');
});

t.test('a socket that is lost costs nothing: the next one goes on from what was heard', async (t) => {
  const provider = await startRealtimeProvider(t);
  const gateway = await startLiveGateway(t, provider.url);
  const first = await gateway.connect();
  const { live_id: liveId } = await first.next('ready');
  const caller = await provider.next();
  await caller.configure();
  first.audio(SECOND);
  await caller.next('input_audio_buffer.append');
  caller.say('a', 'One.');
  await first.next('final');
  first.cut();
  await first.closed;
  caller.say('b', 'Two.');
  const second = await gateway.connect(`live=${liveId}&seq=1`);
  t.match(await second.next('ready'), { live_id: liveId, heard: 1 });
  t.match(await second.next('final'), { seq: 2, text: 'Two.' });
  second.audio(SECOND);
  await caller.next('input_audio_buffer.append');
  // A third takes over from one that is still open.
  const third = await gateway.connect(`live=${liveId}&seq=2`);
  t.equal(await second.closed, 4409);
  t.match(await third.next('ready'), { heard: 2 });
  third.send({ type: 'end' });
  await caller.next('input_audio_buffer.commit');
  caller.send({
    type: 'error',
    error: { type: 'invalid_request_error', code: 'input_audio_buffer_commit_empty', message: 'Empty.' },
  });
  t.match(await third.next('end'), { audio_seconds: 2 });
  t.match(await gateway.reported(1), [{ outcome: 'ok', audioSeconds: 2 }]);
  t.equal(provider.callers.length, 1, 'it was one call');
  t.equal(gateway.metrics.value('vello_gateway_live_sockets_total', { result: 'resumed' }), 2);
});

t.test('a desktop that is killed in the middle is waited for, then charged for what it had', async (t) => {
  const provider = await startRealtimeProvider(t);
  const clock = createManualClock();
  const gateway = await startLiveGateway(t, provider.url, { clock });
  const desktop = await gateway.connect();
  const { live_id: liveId } = await desktop.next('ready');
  const caller = await provider.next();
  await caller.configure();
  desktop.audio(SECOND);
  await caller.next('input_audio_buffer.append');
  caller.say('a', 'Half a sen');
  await desktop.next('final');
  desktop.cut();
  await desktop.closed;
  await new Promise((resolve) => setTimeout(resolve, 20));
  await pass(clock, LIMITS.live.lingerMs);
  t.equal(gateway.events.length, 0);
  await pass(clock, 2 * LIMITS.live.tickMs);
  t.match(gateway.events, [{ outcome: 'client_abort', audioSeconds: 1, result: 'Half a sen' }]);
  t.equal(await caller.closed, 1000, 'the provider is hung up on');
  await t.rejects(gateway.connect(`live=${liveId}`), new LiveRefusal(404, 'LIVE_UNKNOWN'));
  await pass(clock, 60_000);
  t.equal(gateway.events.length, 1);
});

t.test('a revoked token ends it within a second', async (t) => {
  const provider = await startRealtimeProvider(t);
  const gateway = await startLiveGateway(t, provider.url);
  const desktop = await gateway.connect();
  const caller = await provider.next();
  await caller.configure();
  desktop.audio(SECOND);
  await caller.next('input_audio_buffer.append');
  const revokedMs = performance.now();
  gateway.table.apply({ op: 'revoke', scope: { familyId: grantOf('good', 0).familyId } });
  t.match(await desktop.next('error'), { code: 'AUTH_TOKEN_UNKNOWN' });
  t.equal(await desktop.closed, 4401);
  await caller.closed;
  t.ok(performance.now() - revokedMs < 1_000);
  t.match(gateway.events, [{ outcome: 'client_abort' }]);
  t.notOk(gateway.events[0]?.ttfbMs, 'nothing was answered, nothing is charged');
});

t.test('a stop lets those under way end, tells the others, and takes no new ones', async (t) => {
  const provider = await startRealtimeProvider(t);
  const gateway = await startLiveGateway(t, provider.url);
  const [ends, stays] = [await gateway.connect(), await gateway.connect()];
  const [first, second] = [await provider.next(), await provider.next()];
  await Promise.all([first.configure(), second.configure()]);
  ends.audio(SECOND);
  await first.next('input_audio_buffer.append');
  const drained = gateway.endpoint.drain(300);
  await t.rejects(gateway.connect(), new LiveRefusal(503, 'SHUTTING_DOWN'));
  ends.send({ type: 'end' });
  await first.next('input_audio_buffer.commit');
  first.say('a', 'Just in time.');
  await ends.next('end');
  t.match(await stays.next('error'), { code: 'SHUTTING_DOWN' });
  t.equal(await stays.closed, 1012);
  await drained;
  t.same(gateway.events.map(({ outcome }) => outcome).sort(), ['ok', 'shutdown']);
});

t.test('whose token was still being asked for when a stop began is not let in', async (t) => {
  const provider = await startRealtimeProvider(t);
  const store = new EventEmitter();
  const find = async () => {
    store.emit('asked');
    await once(store, 'answer');
    return grantOf('other', Date.now() + 900_000);
  };
  const gateway = await startLiveGateway(t, provider.url, { find });
  const asked = once(store, 'asked');
  const refused = t.rejects(
    gateway.connect(undefined, { authorization: 'Bearer other' }),
    new LiveRefusal(503, 'SHUTTING_DOWN'),
  );
  await asked;
  await gateway.endpoint.drain(300);
  store.emit('answer');
  await refused;
  t.equal(gateway.calls.activeCount, 0);
});

t.test('frames that say nothing end it with a word on why', async (t) => {
  const provider = await startRealtimeProvider(t);
  const gateway = await startLiveGateway(t, provider.url);
  for (const message of ['{', '{"type":"speak"}', new Uint8Array(3)]) {
    const desktop = await gateway.connect();
    if (typeof message === 'string') desktop.send(message);
    else desktop.audio(message);
    t.match(await desktop.next('error'), { code: 'BAD_REQUEST' });
    t.equal(await desktop.closed, 4400);
  }
  const desktop = await gateway.connect();
  desktop.audio(new Uint8Array(LIMITS.live.frameBytes + 2));
  t.not(await desktop.closed, 1000, 'a frame that is too large closes the socket');
  t.equal((await gateway.reported(3)).length, 3);
});

t.test("what only claims to be Opus is the desktop's mistake, not the provider's", async (t) => {
  const provider = await startRealtimeProvider(t);
  const gateway = await startLiveGateway(t, provider.url);
  const desktop = await gateway.connect('format=opus&model=m-1');
  await (await provider.next()).configure();
  desktop.audio(Uint8Array.of(0xff, 0xff, 0xff));
  t.match(await desktop.next('error'), { code: 'AUDIO_NOT_RECOGNISED', retryable: false });
  t.equal(await desktop.closed, 4400);
  t.match(await gateway.reported(1), [{ outcome: 'client_abort' }]);
});

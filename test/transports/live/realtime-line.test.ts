import t, { type Test } from 'tap';
import type { LiveFormat } from '../../../actors/live/live-protocol.ts';
import type { SpeechLineListener } from '../../../actors/live/speech-line.ts';
import { ProviderKey } from '../../../actors/relay/provider-key.ts';
import type { VelloError } from '../../../config/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import { createRealtimeCaller } from '../../../transports/live/realtime-line.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { oggPackets } from '../../../transports/speech/containers/ogg-packets.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { startRealtimeProvider, type RealtimeProvider } from '../../fixtures/realtime-provider.ts';
import { packedRecording } from '../../fixtures/recordings.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';
import { PROVIDER_KEY } from '../../fixtures/test-gateway.ts';

type Told = readonly [what: keyof SpeechLineListener, ...rest: unknown[]];

/** A line to the provider, and all that it tells. */
function callProvider(
  provider: Pick<RealtimeProvider, 'url'>,
  more: { format?: LiveFormat; isOwn?: boolean; clock?: typeof systemClock } = {},
) {
  const { format = { codec: 'pcm16', rate: 24_000 }, isOwn = false, clock = systemClock } = more;
  const log = createMemoryLog();
  const told: Told[] = [];
  let wakes: (() => void)[] = [];
  const hear =
    (what: keyof SpeechLineListener) =>
    (...rest: unknown[]) => {
      told.push([what, ...rest]);
      const woken = wakes;
      wakes = [];
      woken.forEach((wake) => wake());
    };
  const names = [
    'wanted',
    'begun',
    'partial',
    'final',
    'failed',
    'counted',
    'done',
    'broken',
    'unreadable',
    'fault',
  ] as const;
  const listener = Object.fromEntries(names.map((name) => [name, hear(name)])) as unknown as SpeechLineListener;
  const call = {
    baseUrl: provider.url,
    key: new ProviderKey('key-1', PROVIDER_KEY),
    isOwn,
    userId: 'user-1',
    model: 'm',
    language: '',
    format,
    requestId: 'r',
  };
  const line = createRealtimeCaller({ clock, log })(call, listener);
  const until = async (what: keyof SpeechLineListener): Promise<Told> => {
    for (;;) {
      const found = told.find(([name]) => name === what);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => wakes.push(resolve));
    }
  };
  return { line, told, until, log, brokenBy: async () => (await until('broken'))[1] as VelloError };
}

async function setUp(t: Test, more: Parameters<typeof callProvider>[1] = {}) {
  const provider = await startRealtimeProvider(t);
  const called = callProvider(provider, more);
  t.teardown(() => called.line.close());
  return { provider, ...called, caller: await provider.next() };
}

t.test('no audio is wanted before the provider is configured', async (t) => {
  const { caller, told, until } = await setUp(t);
  caller.send({ type: 'session.created', session: {} });
  await caller.next('session.update');
  t.same(told, []);
  caller.send({ type: 'session.updated', session: {} });
  await until('wanted');
});

t.test('the names of the beta are understood', async (t) => {
  const { caller, until } = await setUp(t);
  caller.send({ type: 'transcription_session.created', session: {} });
  caller.send({ type: 'transcription_session.updated', session: {} });
  await until('wanted');
});

t.test('a model that finds no turns is asked without them', async (t) => {
  const { caller, until } = await setUp(t);
  await caller.next('session.update');
  caller.send({
    type: 'error',
    error: {
      type: 'invalid_request_error',
      code: 'invalid_value',
      message: 'Turn detection is not supported for this transcription model.',
      param: null,
    },
  });
  const { session } = await caller.next('session.update');
  t.match(session, { audio: { input: { turn_detection: null } } });
  caller.send({ type: 'session.updated', session });
  await until('wanted');
});

t.test('it is done when all that was committed has its text', async (t) => {
  const { caller, line, told, until } = await setUp(t);
  await caller.configure();
  await until('wanted');
  line.send(new Uint8Array(4_800));
  const committed = (item: string) =>
    caller.send({ type: 'input_audio_buffer.committed', item_id: item, previous_item_id: null });
  const completed = (item: string, transcript: string) =>
    caller.send({
      type: 'conversation.item.input_audio_transcription.completed',
      item_id: item,
      content_index: 0,
      transcript,
      usage: { type: 'duration', seconds: 1.5 },
    });
  committed('a');
  await until('begun');
  line.end();
  t.equal((await caller.next('input_audio_buffer.commit')).event_id, 'vello_last_commit');
  committed('b');
  await caller.refuseCommit();
  completed('b', 'Second.');
  await until('final');
  t.notOk(told.some(([what]) => what === 'done'));
  completed('a', 'First.');
  await until('done');
  t.same(
    told.filter(([what]) => what === 'final').map(([, item, text]) => [item, text]),
    [
      ['b', 'Second.'],
      ['a', 'First.'],
    ],
  );
  t.same(told.filter(([what]) => what === 'counted').at(-1)?.[1], { type: 'duration', seconds: 3 });
});

t.test('the answer to a commit of the desktop is not taken for that to the last', async (t) => {
  const { caller, line, told, until } = await setUp(t);
  await caller.configure();
  await until('wanted');
  line.commit();
  line.send(new Uint8Array(4_800));
  line.end();
  await caller.refuseCommit();
  await caller.next('input_audio_buffer.commit');
  caller.say('a', 'Said.');
  await until('done');
  t.same(
    told.flatMap(([what]) => (what === 'final' || what === 'done' ? [what] : [])),
    ['final', 'done'],
  );
});

t.test('what the provider commits by itself behind the end is not taken for the last of what was said', async (t) => {
  const { caller, line, told, until } = await setUp(t);
  await caller.configure();
  await until('wanted');
  line.send(new Uint8Array(96_000));
  line.end();
  await caller.next('input_audio_buffer.commit');
  caller.send({ type: 'input_audio_buffer.committed', item_id: 'a', previous_item_id: null });
  const type = 'conversation.item.input_audio_transcription.completed';
  caller.send({ type, item_id: 'a', content_index: 0, transcript: 'First.' });
  await until('final');
  caller.say('b', 'Second.');
  await until('done');
  t.same(told.flatMap(([what]) => (what === 'final' || what === 'done' ? [what] : [])).slice(0, 3), [
    'final',
    'final',
    'done',
  ]);
});

t.test('what an item has cost counts once, however often it is said to be complete', async (t) => {
  const { caller, told, until } = await setUp(t);
  await caller.configure();
  await until('wanted');
  for (const [item, usage] of [
    ['a', undefined],
    ['a', { type: 'tokens', total_tokens: 5, input_token_details: { audio_tokens: 4 } }],
    ['a', { type: 'tokens', total_tokens: 5, input_token_details: { audio_tokens: 4 } }],
    ['b', { type: 'tokens', total_tokens: 2, input_token_details: { audio_tokens: 1 } }],
    ['a', { type: 'tokens', total_tokens: 7, input_token_details: { audio_tokens: 7 } }],
    ['b', { type: 'tokens', total_tokens: 2, input_token_details: { audio_tokens: 1 } }],
  ] as const) {
    const type = 'conversation.item.input_audio_transcription.completed';
    caller.send({ type, item_id: item, content_index: 0, transcript: 'Said.', usage });
  }
  caller.close();
  await until('broken');
  t.same(
    told.filter(([what]) => what === 'counted').map(([, usage]) => usage),
    [
      { type: 'tokens', total_tokens: 5, input_token_details: { audio_tokens: 4 } },
      { type: 'tokens', total_tokens: 7, input_token_details: { audio_tokens: 5 } },
    ],
  );
});

t.test('a stretch that has no text is no reason to wait for one', async (t) => {
  const { caller, line, until } = await setUp(t);
  await caller.configure();
  await until('wanted');
  line.end();
  await caller.next('input_audio_buffer.commit');
  caller.send({ type: 'input_audio_buffer.committed', item_id: 'a', previous_item_id: null });
  caller.send({
    type: 'conversation.item.input_audio_transcription.failed',
    ...{
      item_id: 'a',
      content_index: 0,
      error: { type: 'server_error', code: 'audio_unintelligible', message: `The key is ${PROVIDER_KEY}.` },
    },
  });
  t.match(await until('failed'), ['failed', 'a', { code: 'UPSTREAM_FAILED' }]);
  await caller.refuseCommit();
  await until('done');
});

t.test('an end before the provider is there needs no answer of it', async (t) => {
  const { line, until } = await setUp(t);
  line.end();
  await until('done');
});

t.test('a refused upgrade says whose fault it is, and never speaks of our account', async (t) => {
  for (const [status, code, detail] of [
    [401, 'UPSTREAM_FAILED', 'The AI provider refused our account.'],
    [404, 'UPSTREAM_FAILED', 'The AI provider offers no live transcription.'],
    [429, 'RATE_LIMITED', 'Too many requests.'],
    [500, 'UPSTREAM_FAILED', 'The AI provider did not complete its answer.'],
    [503, 'UNAVAILABLE', 'This cannot be answered right now.'],
  ] as const) {
    const provider = await startRealtimeProvider(t);
    provider.refusal = { status, body: JSON.stringify({ error: { message: `Incorrect API key: ${PROVIDER_KEY}` } }) };
    const { brokenBy, log } = callProvider(provider);
    t.match(await brokenBy(), { code, detail }, String(status));
    t.notOk(JSON.stringify(log.lines).includes(PROVIDER_KEY));
  }
});

t.test('a provider that is not there is unreachable, and one that says nothing too late', async (t) => {
  t.match(await callProvider({ url: 'http://127.0.0.1:1' }).brokenBy(), { code: 'UPSTREAM_UNREACHABLE' });
  const clock = createManualClock();
  const { brokenBy, caller } = await setUp(t, { clock });
  await caller.next('session.update');
  clock.advance(LIMITS.live.readyMs);
  t.match(await brokenBy(), { code: 'UPSTREAM_TIMEOUT' });
  await caller.closed;
});

t.test(
  'what the provider finds wrong reaches the desktop in its words, without the key; what is about us does not',
  async (t) => {
    for (const [error, told] of [
      [
        {
          type: 'invalid_request_error',
          code: 'invalid_model',
          message: `No model m for ${PROVIDER_KEY}, org-abcdefgh.`,
        },
        { code: 'BAD_REQUEST', detail: `No model m for ${'*'.repeat(PROVIDER_KEY.length)}, ***.` },
      ],
      [
        { type: 'insufficient_quota', code: 'insufficient_quota', message: 'You are poor.' },
        { code: 'UPSTREAM_FAILED', detail: 'The AI provider refused our account.' },
      ],
      [
        { type: 'invalid_request_error', code: 'MODEL_NOT_FOUND', message: 'There is no such model.' },
        { code: 'MODEL_NOT_FOUND', detail: 'There is no such model.' },
      ],
      [{ type: 'server_error', code: null, message: 'Oh.' }, { code: 'UPSTREAM_FAILED' }],
    ] as const) {
      const { caller, brokenBy, log } = await setUp(t);
      await caller.next('session.update');
      caller.send({ type: 'error', error });
      t.match(await brokenBy(), told);
      t.notOk(JSON.stringify(log.lines).includes(PROVIDER_KEY));
    }
  },
);

t.test('a key that is spread over the pieces of an item is not passed on, nor is it in the whole', async (t) => {
  const { caller, told, until } = await setUp(t);
  await caller.configure();
  await until('wanted');
  const [head, tail] = [PROVIDER_KEY.slice(0, 9), PROVIDER_KEY.slice(9)];
  const type = 'conversation.item.input_audio_transcription.delta';
  for (const [item, delta] of [
    ['a', `Größe ${head}`],
    ['b', 'Elsewhere, '],
    ['a', `${tail} and`],
    ['a', ' so on.'],
  ]) {
    caller.send({ type, item_id: item, content_index: 0, delta });
  }
  caller.say('a', `Größe ${PROVIDER_KEY} and so on.`);
  const [, , text] = await until('final');
  const stars = '*'.repeat(PROVIDER_KEY.length);
  const pieces = told.flatMap(([what, item, delta]) => (what === 'partial' && item === 'a' ? [String(delta)] : []));
  t.same(pieces.slice(0, 3), ['Größe ', `${stars} and`, ' so on.']);
  t.equal(text, `Größe ${stars} and so on.`);
});

t.test('later errors end nothing, a hang-up does', async (t) => {
  const { caller, told, until, brokenBy } = await setUp(t);
  await caller.configure();
  await until('wanted');
  caller.send({ type: 'error', error: { type: 'invalid_request_error', code: 'odd', message: 'Odd.' } });
  caller.send({ type: 'conversation.item.input_audio_transcription.delta', item_id: 'a', delta: 'still here' });
  await until('partial');
  t.equal(told.filter(([what]) => what === 'broken').length, 0);
  caller.close(1011);
  t.match(await brokenBy(), { code: 'UPSTREAM_FAILED' });
});

t.test('what is no event ends it, and what is unknown does not', async (t) => {
  const { caller, told, brokenBy } = await setUp(t);
  caller.send({ type: 'rate_limits.updated', rate_limits: [] });
  caller.send({ type: 'conversation.item.input_audio_transcription.delta', item_id: 7, delta: {} });
  caller.sendText('nonsense');
  t.match(await brokenBy(), { code: 'UPSTREAM_FAILED' });
  t.notOk(told.some(([what]) => what === 'fault'));
  const other = await setUp(t);
  other.caller.sendText(`{"type":"error","error":{"message":"${'x'.repeat(LIMITS.live.messageBytes)}"}}`);
  t.match(await other.brokenBy(), { code: 'UPSTREAM_FAILED' });
});

t.test('after a hang-up nothing is told', async (t) => {
  const { caller, line, told, until } = await setUp(t);
  await caller.configure();
  await until('wanted');
  line.close();
  line.send(new Uint8Array(2));
  caller.say('a', 'Too late.');
  await caller.closed;
  t.same(
    told.map(([what]) => what),
    ['wanted'],
  );
});

t.test('audio is held back while the provider does not take it', async (t) => {
  const { caller, line, told, until } = await setUp(t);
  await caller.configure();
  await until('wanted');
  let frames = 1;
  while (line.send(new Uint8Array(60_000))) frames += 1;
  t.ok(frames * 60_000 < 50 * LIMITS.live.upstreamBytes, `${frames} frames`);
  while (told.filter(([what]) => what === 'wanted').length < 2) await new Promise((resolve) => setImmediate(resolve));
  for (let count = 0; count < frames; count += 1) await caller.next('input_audio_buffer.append');
  t.equal(caller.audio().length, frames * 60_000);
});

t.test(
  'Opus, and PCM at other rates, become what every provider takes; our own engine takes them as they are',
  async (t) => {
    const packets = [...oggPackets(packedRecording('garden-opus.ogg'))].flatMap((event) =>
      event.kind === 'stream' ? [] : [event.bytes],
    );
    const opus = await setUp(t, { format: { codec: 'opus' } });
    await opus.caller.configure();
    await opus.until('wanted');
    for (const packet of packets) opus.line.send(packet);
    opus.line.commit();
    await opus.caller.next('input_audio_buffer.commit');
    t.ok(
      Math.abs(opus.caller.audio().length / 48_000 - packets.length * 0.02) < 0.01,
      `${opus.caller.audio().length / 48_000} s`,
    );

    const pcm = await setUp(t, { format: { codec: 'pcm16', rate: 16_000 } });
    await pcm.caller.configure();
    await pcm.until('wanted');
    for (let count = 0; count < 50; count += 1) pcm.line.send(new Uint8Array(640));
    pcm.line.commit();
    await pcm.caller.next('input_audio_buffer.commit');
    t.ok(Math.abs(pcm.caller.audio().length / 48_000 - 1) < 0.01);

    const own = await setUp(t, { format: { codec: 'opus' }, isOwn: true });
    const { session } = await own.caller.configure();
    t.match(session, { audio: { input: { format: { type: 'audio/opus' } } } });
    t.match(own.caller.headers['x-vello-caller'], /^[\w-]{22}$/);
    await own.until('wanted');
    own.line.send(packets[0] ?? new Uint8Array());
    await own.caller.next('input_audio_buffer.append');
    t.same(own.caller.audio(), packets[0]);
    t.notOk(opus.caller.headers['x-vello-caller'], 'others hear nothing of our users');
  },
);

t.test('a frame that only claims to be Opus ends the call', async (t) => {
  const { caller, line, told, until } = await setUp(t, { format: { codec: 'opus' } });
  await caller.configure();
  await until('wanted');
  t.equal(line.send(Uint8Array.of(0xff, 0xff, 0xff)), false);
  await caller.closed;
  t.same(told, [['wanted'], ['unreadable']]);

  const own = await setUp(t, { format: { codec: 'opus' }, isOwn: true });
  await own.caller.configure();
  await own.until('wanted');
  own.line.send(Uint8Array.of(0xff, 0xff, 0xff));
  own.caller.send({ type: 'error', error: { type: 'invalid_request_error', code: 'AUDIO_NOT_RECOGNISED' } });
  await own.until('unreadable');
  await own.caller.closed;
  t.same(own.told, [['wanted'], ['unreadable']], 'our own engine finds it out by itself');
});

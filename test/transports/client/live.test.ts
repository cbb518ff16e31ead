import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import type { Clock } from '../../../actors/ports/clock.ts';
import { transcribeLive, type LiveOptions } from '../../../transports/client/live.ts';
import type { LiveText } from '../../../transports/client/live-texts-queue.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { startCutProxy } from '../../fixtures/cut-proxy.ts';
import { startLiveGateway } from '../../fixtures/live-gateway.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { startRealtimeProvider } from '../../fixtures/realtime-provider.ts';
import { startScriptedLiveGateway } from '../../fixtures/scripted-live-gateway.ts';
import { SESSION } from '../../fixtures/test-gateway.ts';

/** A microphone that the test speaks into. */
function createMicrophone() {
  const pieces: Uint8Array[] = [];
  const state = { isOver: false, isLeft: false, error: undefined as Error | undefined };
  let wake: (() => void) | undefined;
  const audio = (async function* () {
    try {
      for (;;) {
        const next = pieces.shift();
        if (next !== undefined) yield next;
        else if (state.error !== undefined) throw state.error;
        else if (state.isOver) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      state.isLeft = true;
    }
  })();
  return {
    audio,
    state,
    speak: (...more: Uint8Array[]) => {
      pieces.push(...more);
      wake?.();
    },
    end: () => {
      state.isOver = true;
      wake?.();
    },
    fail: (error: Error) => {
      state.error = error;
      wake?.();
    },
  };
}

interface More {
  readonly options?: Partial<LiveOptions>;
  readonly clock?: Clock;
  readonly tokens?: readonly string[];
}

/** Transcribes a microphone, and gathers what is heard. */
function begin(gatewayUrl: string, { options = {}, clock = systemClock, tokens = ['good', 'better'] }: More = {}) {
  const microphone = createMicrophone();
  const [first = '', second = ''] = tokens;
  const deps = {
    gatewayUrl,
    clock,
    signal: new AbortController().signal,
    token: async () => first,
    replace: async () => second,
  };
  const whole = { model: 'm-1', rate: 16_000, sessionId: SESSION, ...options } as LiveOptions;
  const transcription = transcribeLive(deps, microphone.audio, whole);
  const texts: LiveText[] = [];
  let wakes: (() => void)[] = [];
  const done = (async () => {
    for await (const text of transcription) {
      texts.push(text);
      const woken = wakes;
      wakes = [];
      woken.forEach((wake) => wake());
    }
  })();
  done.catch(() => undefined);
  const until = async (count: number) => {
    while (texts.length < count) await new Promise<void>((resolve) => wakes.push(resolve));
    return texts;
  };
  return { ...microphone, transcription, texts, until, done };
}

const scripted = async (t: Test, more?: More) => {
  const gateway = await startScriptedLiveGateway(t);
  const live = begin(gateway.url, more);
  return { gateway, live, socket: await gateway.next() };
};

const frame = (value: number, length = 4) => Buffer.alloc(length, value);
const END = { type: 'end', reason: 'asked', audio_seconds: 1 };

t.test('a microphone goes up as it is, text comes down, and its end is the end', async (t) => {
  const { live, socket } = await scripted(t, { options: { language: 'en' } });
  t.same(Object.fromEntries(socket.query), { format: 'pcm16', rate: '16000', model: 'm-1', language: 'en' });
  t.match(socket.headers, { authorization: 'Bearer good', 'x-session-id': SESSION });
  live.speak(frame(1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(socket.said.length, 0, 'nothing is said before the gateway is ready');
  socket.ready();
  live.speak(frame(2));
  await socket.until(2);
  live.transcription.commit();
  live.end();
  t.same(await socket.until(4), [frame(1), frame(2), { type: 'commit' }, { type: 'end' }]);
  socket.say({ type: 'partial', item: 0, at: 0, text: 'Helo' });
  t.match(await live.until(1), [{ type: 'partial', item: 0, text: 'Helo' }]);
  socket.say({ type: 'partial', item: 0, at: 3, text: 'lo there' });
  socket.say({ type: 'something', new: true });
  await live.until(2);
  socket.say({ type: 'final', seq: 1, item: 0, text: 'Hello there.', start_ms: 10, end_ms: 20 });
  socket.say(END);
  t.equal(await socket.closed, 1000);
  await live.done;
  t.same(live.texts.slice(1), [
    { type: 'partial', item: 0, text: 'Hello there' },
    { type: 'final', item: 0, text: 'Hello there.', startMs: 10, endMs: 20 },
  ]);
});

t.test('samples that were cut apart are put together, and nothing is larger than a frame may be', async (t) => {
  const { live, socket } = await scripted(t);
  socket.ready();
  live.speak(Buffer.of(1), Buffer.of(2, 3, 4, 5, 6), Buffer.alloc(100_001, 7), Buffer.alloc(0));
  live.end();
  const said = await socket.until(6);
  const frames = said.filter((one): one is Buffer => Buffer.isBuffer(one));
  t.ok(frames.every(({ length }) => length % 2 === 0 && length <= 32_768));
  t.same(Buffer.concat(frames), Buffer.concat([Buffer.of(1, 2, 3, 4, 5, 6), Buffer.alloc(100_000, 7)]));
});

t.test('Opus packets stay what they are', async (t) => {
  const { live, socket } = await scripted(t, { options: { format: 'opus', rate: undefined } as never });
  socket.ready();
  t.equal(socket.query.get('format'), 'opus');
  live.speak(frame(1, 3), frame(2, 5));
  t.same(await socket.until(2), [frame(1, 3), frame(2, 5)]);
});

t.test('what was not heard is said again over the next socket, and what was heard is not', async (t) => {
  const { gateway, live, socket } = await scripted(t);
  socket.ready();
  live.speak(frame(1), frame(2), frame(3), frame(4));
  await socket.until(4);
  socket.say({ type: 'final', seq: 3, item: 0, text: 'So far.' });
  socket.say({ type: 'heard', messages: 1 });
  await live.until(1);
  socket.cut();
  live.speak(frame(5));
  const second = await gateway.next();
  t.same(Object.fromEntries(second.query), { live: '01939f5e-7f00-7000-8000-0000000000aa', seq: '3' });
  second.ready({ heard: 2 });
  live.end();
  t.same(await second.until(4), [frame(3), frame(4), frame(5), { type: 'end' }]);
  second.cut();
  const third = await gateway.next();
  third.ready({ heard: 6 });
  third.say(END);
  await live.done;
  t.same(third.said, [], 'it was all heard');
});

t.test('it is never further ahead than the gateway wants to hear', async (t) => {
  const { live, socket } = await scripted(t);
  socket.ready({ window_bytes: 10 });
  live.speak(frame(1), frame(2), frame(3), frame(4), frame(5, 32));
  await socket.until(2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(socket.said.length, 2);
  socket.say({ type: 'heard', messages: 1 });
  await socket.until(3);
  socket.say({ type: 'heard', messages: 3 });
  await socket.until(4);
  socket.say({ type: 'heard', messages: 4 });
  t.equal((await socket.until(5)).length, 5, 'one that is larger than the window is said by itself');
});

t.test('audio that was heard is let go', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { live, socket } = await scripted(t);
  socket.ready();
  const memory = Array.from({ length: 20 }, () => {
    const piece = new Uint8Array(32_000);
    live.speak(piece);
    return new WeakRef(piece.buffer);
  });
  await socket.until(memory.length);
  socket.say({ type: 'heard', messages: memory.length });
  const isKept = () => memory.filter((piece) => piece.deref() !== undefined).length > 2;
  do {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  } while (isKept());
  live.end();
  await socket.until(memory.length + 1);
});

t.test('one that the gateway ended for its silence is followed by another when there is more to say', async (t) => {
  const { gateway, live, socket } = await scripted(t);
  socket.ready();
  live.speak(frame(1));
  await socket.until(1);
  socket.say({ type: 'heard', messages: 1 });
  socket.say({ type: 'final', seq: 1, item: 1, text: 'Two.' });
  socket.say({ ...END, reason: 'quiet' });
  t.equal(await socket.closed, 1000);
  live.speak(frame(2));
  const second = await gateway.next();
  t.equal(second.query.get('model'), 'm-1', 'it is a new one');
  t.equal(second.headers['x-session-id'], SESSION, 'of the same session');
  second.ready();
  live.end();
  t.same(await second.until(2), [frame(2), { type: 'end' }]);
  second.say({ type: 'final', seq: 1, item: 0, text: 'Three.' });
  second.say(END);
  await live.done;
  t.match(live.texts, [
    { item: 1, text: 'Two.' },
    { item: 2, text: 'Three.' },
  ]);
});

t.test('one that the gateway ended in order to stop is followed by another as soon as there is one', async (t) => {
  const { gateway, live, socket } = await scripted(t);
  socket.ready();
  live.speak(frame(1), frame(2));
  await socket.until(2);
  socket.say({ type: 'heard', messages: 1 });
  gateway.refusals.push({ status: 503, code: 'SHUTTING_DOWN' });
  socket.say({ ...END, reason: 'restart' });
  const second = await gateway.next();
  second.ready();
  t.same(await second.until(1), [frame(2)], 'what was not heard is said to the next');
  gateway.refusals.push({ status: 402, code: 'CREDITS_EXHAUSTED' });
  second.say({ ...END, reason: 'restart' });
  await t.rejects(live.done, { code: 'CREDITS_EXHAUSTED' }, 'what is refused for good is the end');
});

t.test('after a silence that the gateway ended, the end of the audio is the end', async (t) => {
  const { live, socket } = await scripted(t);
  socket.ready();
  live.speak(frame(1));
  await socket.until(1);
  socket.say({ type: 'heard', messages: 1 });
  socket.say({ ...END, reason: 'quiet' });
  await socket.closed;
  live.end();
  await live.done;
});

t.test('a refusal of the first socket is thrown, with its code', async (t) => {
  const gateway = await startScriptedLiveGateway(t);
  gateway.refusals.push({ status: 402, code: 'CREDITS_EXHAUSTED' });
  await t.rejects(begin(gateway.url).done, { code: 'CREDITS_EXHAUSTED', status: 402, requestId: 'r-1' });
  gateway.refusals.push({ status: 401, code: 'AUTH_TOKEN_UNKNOWN' });
  const live = begin(gateway.url);
  const socket = await gateway.next();
  t.equal(socket.headers.authorization, 'Bearer better', 'another token is tried once');
  gateway.refusals.push({ status: 401, code: 'A' }, { status: 401, code: 'AUTH_TOKEN_UNKNOWN' });
  await t.rejects(begin(gateway.url).done, { code: 'AUTH_TOKEN_UNKNOWN' });
  await t.rejects(begin('http://127.0.0.1:1').done, { code: 'NETWORK', retryable: true });
  socket.ready();
  live.end();
  socket.say(END);
  await live.done;
});

t.test('what is refused for a while is asked for again, and what is refused for good is the end', async (t) => {
  const { gateway, live, socket } = await scripted(t);
  socket.ready();
  gateway.refusals.push({ status: 503, code: 'UNAVAILABLE' });
  socket.cut();
  const second = await gateway.next();
  second.ready();
  gateway.refusals.push({ status: 404, code: 'LIVE_UNKNOWN' });
  second.cut();
  await t.rejects(live.done, { code: 'LIVE_UNKNOWN' });
});

t.test('a connection that does not come back in time is given up', async (t) => {
  const { gateway, live, socket } = await scripted(t);
  socket.ready({ resume_within_ms: 0 });
  gateway.refusals.push({ status: 503, code: 'UNAVAILABLE' });
  socket.cut();
  await t.rejects(live.done, { code: 'UNAVAILABLE', retryable: true });
});

t.test('what ends it is thrown: a failure of the gateway, another socket', async (t) => {
  const failed = await scripted(t);
  failed.socket.ready();
  failed.socket.say({ type: 'error', code: 'UPSTREAM_FAILED', message: 'No.', retryable: true });
  failed.socket.close(1011);
  await t.rejects(failed.live.done, { code: 'UPSTREAM_FAILED', message: 'No.', retryable: true });
  const replaced = await scripted(t);
  replaced.socket.ready();
  replaced.socket.close(4409);
  await t.rejects(replaced.live.done, { code: 'REPLACED' });
});

t.test('whoever leaves hangs up, and is asked for no more audio', async (t) => {
  const gateway = await startScriptedLiveGateway(t);
  const abort = new AbortController();
  const cancelled = begin(gateway.url, { options: { signal: abort.signal } });
  const first = await gateway.next();
  first.ready();
  cancelled.speak(frame(1));
  await first.until(1);
  abort.abort();
  await t.rejects(cancelled.done, { code: 'CLOSED' });
  t.equal(await first.closed, 1000);

  const microphone = createMicrophone();
  const deps = {
    gatewayUrl: gateway.url,
    clock: systemClock,
    signal: new AbortController().signal,
    token: async () => 'good',
    replace: async () => '',
  };
  const left = (async () => {
    for await (const { text } of transcribeLive(deps, microphone.audio, { model: 'm', rate: 16_000 })) return text;
    return undefined;
  })();
  const second = await gateway.next();
  second.ready();
  microphone.speak(frame(1));
  await second.until(1);
  second.say({ type: 'partial', item: 0, at: 0, text: 'Enough' });
  t.equal(await left, 'Enough');
  t.equal(await second.closed, 1000);
  microphone.speak(frame(2));
  while (!microphone.state.isLeft) await new Promise((resolve) => setImmediate(resolve));
});

t.test("a microphone that fails is the caller's own failure", async (t) => {
  const { live, socket } = await scripted(t);
  socket.ready();
  live.speak(frame(1));
  await socket.until(1);
  live.fail(new Error('unplugged'));
  await t.rejects(live.done, { message: 'unplugged' });
  t.equal(await socket.closed, 1000);
});

t.test('a socket that fell silent without a word is given up for another', async (t) => {
  const gateway = await startScriptedLiveGateway(t, { autoPong: false });
  const clock = createManualClock();
  const live = begin(gateway.url, { clock });
  const socket = await gateway.next();
  socket.ready();
  live.speak(frame(1));
  await socket.until(1);
  const lost = socket.closed.then(() => true);
  for (let seconds = 0; seconds < 16; seconds += 4) clock.advance(4_000);
  t.ok(await lost);
  const waiting = gateway.next();
  const pacing = setInterval(() => clock.advance(600), 5);
  const second = await waiting;
  clearInterval(pacing);
  t.equal(second.query.get('seq'), '0');
});

t.test('who reads slowly finds what an item says by now', async (t) => {
  const { live, socket } = await scripted(t);
  socket.ready();
  live.speak(frame(1));
  await socket.until(1);
  for (let at = 0; at < 50; at += 1) socket.say({ type: 'partial', item: 0, at, text: 'x' });
  socket.say({ type: 'final', seq: 1, item: 0, text: 'X.' });
  socket.say({ type: 'partial', item: 1, at: 0, text: 'y' });
  live.end();
  socket.say(END);
  await live.done;
  t.equal(live.texts.at(-1)?.text, 'y');
  t.equal(live.texts.find(({ type }) => type === 'final')?.text, 'X.');
  const partials = live.texts
    .filter(({ type, item }) => type === 'partial' && item === 0)
    .map(({ text }) => text.length);
  t.same(
    partials,
    [...partials].sort((one, other) => one - other),
  );
});

t.test('text() is all finals in the order in which they were said', async (t) => {
  const gateway = await startScriptedLiveGateway(t);
  const microphone = createMicrophone();
  const deps = {
    gatewayUrl: gateway.url,
    clock: systemClock,
    signal: new AbortController().signal,
    token: async () => 'good',
    replace: async () => '',
  };
  const whole = transcribeLive(deps, microphone.audio, { model: 'm', rate: 16_000 }).text();
  const socket = await gateway.next();
  socket.ready();
  microphone.end();
  socket.say({ type: 'final', seq: 1, item: 2, text: 'Three.' });
  socket.say({ type: 'final', seq: 2, item: 0, text: 'One.' });
  socket.say({ type: 'final', seq: 3, item: 1, text: '' });
  socket.say(END);
  t.equal(await whole, 'One. Three.');
});

t.test(
  'through a network that breaks again and again every byte arrives once and every word comes back once',
  async (t) => {
    const provider = await startRealtimeProvider(t);
    const gateway = await startLiveGateway(t, provider.url);
    const proxy = await startCutProxy(t, gateway.port);
    const live = begin(`http://127.0.0.1:${proxy.port}`, { options: { rate: 24_000 } });
    const caller = await provider.next();
    await caller.configure();
    const spoken: Buffer[] = [];
    for (let sentence = 0; sentence < 4; sentence += 1) {
      for (let part = 0; part < 10; part += 1) {
        const next = frame(sentence * 10 + part, 2_400);
        spoken.push(next);
        live.speak(next);
        if (part === 5) proxy.cutNewest();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      while (caller.audio().length < spoken.length * 2_400) await new Promise((resolve) => setTimeout(resolve, 5));
      caller.say(`item_${sentence}`, `Sentence ${sentence}.`);
      if (sentence % 2 === 0) proxy.cutNewest();
    }
    live.end();
    await caller.next('input_audio_buffer.commit');
    caller.send({
      type: 'error',
      error: { type: 'invalid_request_error', code: 'input_audio_buffer_commit_empty', message: '' },
    });
    await live.done;
    t.same(caller.audio(), Buffer.concat(spoken));
    t.same(
      live.texts.filter(({ type }) => type === 'final').map(({ text }) => text),
      ['Sentence 0.', 'Sentence 1.', 'Sentence 2.', 'Sentence 3.'],
    );
    t.match(await gateway.reported(1), [{ outcome: 'ok', audioSeconds: 2 }]);
    t.ok(gateway.metrics.value('vello_gateway_live_sockets_total', { result: 'resumed' }) >= 4);
  },
);

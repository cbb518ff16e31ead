import t from 'tap';
import { VelloError } from '../../../config/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import { createMemorySocket, startLiveCall } from '../../fixtures/live-call.ts';

t.test('audio goes to the provider, text to the desktop, and one event says what it was', async (t) => {
  const { call, line, open, speak, settle, admitted, events, told, pass } = startLiveCall();
  t.match(admitted, [{ outcome: 'lost', audioSeconds: 0, type: 'transcribe' }]);
  const socket = open();
  t.match(socket.last('ready'), { heard: 0, live_id: call.start.liveId, session_id: call.start.sessionId });
  speak(socket, 2);
  line.listener.begun('a');
  line.listener.partial('a', 'Good');
  line.listener.partial('a', ' mor');
  call.take(socket, { type: 'commit' });
  line.listener.final('a', 'Good morning.', { startMs: 100, endMs: 200 });
  call.take(socket, { type: 'end' });
  t.same(line.sent, [3200, 3200, 'commit', 'end']);
  t.same(socket.last('heard'), { type: 'heard', messages: 4 }, 'what was passed on is acknowledged');
  t.equal(events.length, 0, 'texts may still come');
  line.listener.final('b', 'Good night.', {});
  line.listener.done();
  t.match(events, [{ outcome: 'ok', status: 101, audioSeconds: 0.2, audioSource: 'header', bytesIn: 6400, ttfbMs: 0 }]);
  t.notOk(events[0]?.result, 'the desktop has it');
  t.equal(socket.last('end'), undefined, 'the last word waits for the event');
  settle();
  t.same(socket.last('end'), { type: 'end', reason: 'asked', audio_seconds: 0.2 });
  t.same(
    socket.heard
      .filter(({ type }) => type !== 'heard')
      .map((message) => ('text' in message ? message.text : message.type)),
    ['ready', 'Good', ' mor', 'Good morning.', 'Good night.', 'end'],
  );
  t.match(socket.last('final'), { seq: 2, item: 1 });
  call.detach(socket, true);
  t.same(told, [{ type: 'over' }]);
  pass(100_000);
  t.equal(events.length, 1);
});

t.test('a desktop that comes back gets what it missed, and sends on from what was heard', async (t) => {
  const { call, line, open, speak, pass, events } = startLiveCall();
  const first = open();
  speak(first, 3);
  line.listener.final('a', 'One.', {});
  call.detach(first, false);
  line.listener.final('b', 'Two.', {});
  line.listener.partial('c', 'Thr');
  line.listener.partial('c', 'ee');
  pass(LIMITS.live.lingerMs - 1);
  const second = open(1);
  t.match(second.heard, [
    { type: 'ready', heard: 3 },
    { type: 'final', seq: 2, text: 'Two.' },
    { type: 'partial', item: 2, at: 0, text: 'Three' },
  ]);
  line.listener.partial('c', ' and');
  t.match(second.last('partial'), { at: 5, text: ' and' }, 'it goes on where it was');
  speak(first, 1);
  t.same(line.sent.length, 3, 'nobody speaks over a socket that was given up');
  speak(second, 1);
  t.same(line.sent.length, 4);
  t.equal(events.length, 0);
});

t.test('the newest socket takes over, and what was not passed on is asked for again', async (t) => {
  const { call, line, open, speak, events } = startLiveCall();
  const first = open();
  speak(first, 1);
  line.takesMore = false;
  speak(first, 3);
  t.equal(line.sent.length, 2, 'the provider takes no more for now');
  call.take(first, { type: 'end' });
  const second = open();
  t.equal(first.closed, 4409);
  t.match(second.last('ready'), { heard: 2 });
  line.takesMore = true;
  line.listener.wanted();
  t.equal(line.sent.length, 2, "the rest is the second socket's to send");
  speak(second, 2);
  call.take(second, { type: 'end' });
  t.same(line.sent.slice(2), [3200, 3200, 'end']);
  t.equal(events.length, 0);
});

t.test('a desktop that does not come back has hung up, and its text is kept', async (t) => {
  const { call, line, open, speak, pass, settle, events, told } = startLiveCall();
  const socket = open();
  speak(socket, 10);
  line.listener.final('a', 'Kept.', {});
  call.detach(socket, false);
  pass(LIMITS.live.lingerMs);
  t.equal(events.length, 0);
  pass(LIMITS.live.tickMs);
  t.match(events, [{ outcome: 'client_abort', audioSeconds: 1, result: 'Kept.' }]);
  t.equal(line.sent.at(-1), 'close');
  settle();
  pass(LIMITS.live.tickMs);
  t.same(told, [{ type: 'over' }]);
});

t.test('nobody comes at all: the call is not kept', async (t) => {
  const { pass, events } = startLiveCall();
  pass(LIMITS.live.lingerMs + 1);
  t.match(events, [{ outcome: 'client_abort', audioSeconds: 0, audioSource: 'none' }]);
});

t.test('a desktop that closes its socket itself is not waited for', async (t) => {
  const { call, open, speak, events } = startLiveCall();
  const socket = open();
  speak(socket, 1);
  call.detach(socket, true);
  t.match(events, [{ outcome: 'client_abort' }]);
  t.notOk(events[0]?.ttfbMs, 'it had no answer, so that nothing is charged');
});

t.test('what was sent whole is read to its end, whether its desktop is there or not', async (t) => {
  for (const comesBack of [true, false]) {
    const { call, line, open, speak, pass, settle, events } = startLiveCall();
    const socket = open();
    speak(socket, 1);
    call.take(socket, { type: 'end' });
    call.detach(socket, false);
    pass(LIMITS.live.lingerMs + 1);
    t.equal(events.length, 0, 'the provider is still at it');
    line.listener.final('a', 'All of it.', {});
    line.listener.done();
    if (comesBack) {
      const again = open();
      t.match(events, [{ outcome: 'ok' }]);
      settle();
      t.strictSame(
        again.heard.map(({ type }) => type),
        ['ready', 'final', 'end'],
      );
    } else {
      pass(1);
      t.match(events, [{ outcome: 'client_abort', result: 'All of it.' }]);
    }
    t.equal(events.length, 1);
  }
});

t.test('a socket that is lost with the last word gets it again', async (t) => {
  const { call, line, open, speak, settle, pass, events, told } = startLiveCall();
  const socket = open();
  speak(socket, 1);
  call.take(socket, { type: 'end' });
  line.listener.final('a', 'Said.', {});
  line.listener.done();
  settle();
  call.detach(socket, false);
  pass(1_000);
  t.same(told, []);
  const again = open();
  t.strictSame(
    again.heard.map(({ type }) => type),
    ['ready', 'final', 'end'],
  );
  t.equal(events.length, 1);
  pass(LIMITS.live.closeMs);
  t.equal(again.closed, 1000, 'one that does not close its socket is closed');
  t.same(told, [{ type: 'over' }]);
});

t.test('a provider that fails has not been paid for nothing: what was delivered is, the rest is not', async (t) => {
  for (const hasAnswered of [false, true]) {
    const { line, open, speak, settle, events, told } = startLiveCall();
    const socket = open();
    speak(socket, 1);
    if (hasAnswered) line.listener.partial('a', 'Wor');
    line.listener.broken(new VelloError('UPSTREAM_FAILED'));
    t.match(events, [{ outcome: hasAnswered ? 'truncated' : 'upstream_error' }]);
    t.equal(socket.last('error'), undefined);
    settle();
    t.match(socket.last('error'), { code: 'UPSTREAM_FAILED' });
    t.equal(socket.closed, 1011);
    t.same(told, [{ type: 'over' }]);
  }
});

t.test(
  'silence of a desktop, and the longest time that there is, end it in good order: they are no way to talk for free',
  async (t) => {
    for (const [reason, ms] of [
      ['quiet', LIMITS.live.quietMs],
      ['time', LIMITS.live.totalMs],
    ] as const) {
      const { line, open, speak, pass, settle, events } = startLiveCall();
      const socket = open();
      speak(socket, 1);
      line.listener.final('a', 'So far.', {});
      for (let passed = 0; passed < ms; passed += 60_000) {
        pass(60_000);
        if (reason === 'time') speak(socket, 1);
      }
      pass(1);
      t.equal(line.sent.at(-1), 'end', reason);
      speak(socket, 1);
      t.equal(line.sent.at(-1), 'end', 'what still comes is not passed on');
      line.listener.done();
      settle();
      t.match(events, [{ outcome: 'ok' }]);
      t.match(socket.last('end'), { reason });
    }
  },
);

t.test('a provider that does not come to an end is given up', async (t) => {
  const { call, line, open, speak, pass, events } = startLiveCall();
  const socket = open();
  speak(socket, 1);
  call.take(socket, { type: 'end' });
  pass(LIMITS.live.finishMs + 1);
  t.match(events, [{ outcome: 'timeout' }]);
  t.equal(line.sent.at(-1), 'close');
});

t.test('who sends nothing pays nothing', async (t) => {
  const { call, line, open, events } = startLiveCall();
  const socket = open();
  call.take(socket, { type: 'end' });
  line.listener.done();
  t.match(events, [{ outcome: 'client_abort', audioSeconds: 0, audioSource: 'none' }]);
});

t.test('frames that are none, and a desktop that does not heed its window, end it', async (t) => {
  const malformed = startLiveCall();
  const socket = malformed.open();
  malformed.speak(socket, 1, 3);
  malformed.settle();
  t.match(socket.last('error'), { code: 'BAD_REQUEST' });
  t.equal(socket.closed, 4400);
  t.match(malformed.events, [{ outcome: 'client_abort' }]);

  const unreadable = startLiveCall();
  const deaf = unreadable.open();
  unreadable.speak(deaf, 1);
  unreadable.line.listener.partial('a', 'Wor');
  unreadable.line.listener.unreadable();
  unreadable.settle();
  t.match(deaf.last('error'), { code: 'AUDIO_NOT_RECOGNISED', retryable: false });
  t.equal(deaf.closed, 4400);
  t.match(unreadable.events, [{ outcome: 'client_abort' }], 'the provider has not failed');

  const flooding = startLiveCall();
  const flood = flooding.open();
  flooding.line.takesMore = false;
  flooding.speak(flood, 1 + Math.ceil(LIMITS.live.queuedBytes / 32_000), 32_000);
  flooding.settle();
  t.match(flood.last('error'), { code: 'RATE_LIMITED' });
  t.equal(flood.closed, 1008);
});

t.test('audio may come as fast as it likes for a while, then four times as fast as it is spoken', async (t) => {
  const { line, open, speak, clock } = startLiveCall();
  const socket = open();
  const second = 32_000;
  speak(socket, LIMITS.live.aheadSeconds + 10, second);
  t.equal(line.sent.length, LIMITS.live.aheadSeconds);
  clock.advance(900);
  t.equal(line.sent.length, LIMITS.live.aheadSeconds + 4);
  clock.advance(10_000);
  t.equal(line.sent.length, LIMITS.live.aheadSeconds + 10);
  t.equal(clock.pendingTimers, 0, 'nobody waits for nothing');
});

t.test('a desktop that reads too slowly is cut, and finds everything when it comes back', async (t) => {
  const { line, open, events } = startLiveCall();
  const socket = open();
  socket.bufferedBytes = LIMITS.live.unreadBytes + 1;
  line.listener.final('a', 'Missed.', {});
  t.equal(socket.closed, 4408);
  const again = open();
  t.match(again.last('final'), { text: 'Missed.' });
  t.equal(events.length, 0);
});

t.test('a desktop that hung up while its last words were awaited, and comes back for them, is met', async (t) => {
  const { call, line, open, speak, settle, told, pass } = startLiveCall();
  const first = open();
  speak(first, 1);
  call.take(first, { type: 'end' });
  call.detach(first, true);
  const second = open();
  line.listener.final('a', 'One.', {});
  line.listener.done();
  settle();
  t.match(second.last('end'), { reason: 'asked' });
  pass(LIMITS.live.tickMs);
  t.same(told, [], 'it is there');
  pass(LIMITS.live.closeMs);
  t.equal(second.closed, 1000);
});

t.test('a provider that says too much is hung up on', async (t) => {
  const { line, events } = startLiveCall();
  t.throws(() => line.listener.final('a', 'x'.repeat(LIMITS.live.textCharacters + 1), {}), { code: 'UPSTREAM_FAILED' });
  t.throws(() => {
    for (let item = 0; item <= LIMITS.live.items; item += 1) line.listener.begun(`item ${item}`);
  });
  t.equal(events.length, 0);
});

t.test('what is thrown where no actor stands reaches its actor', async (t) => {
  const { line, told, call, events } = startLiveCall();
  line.listener.fault(new Error('odd'));
  t.match(told, [{ type: 'fault', error: { message: 'odd' } }]);
  call.crash();
  call.crash();
  call.shutDown();
  t.match(events, [{ outcome: 'upstream_error' }]);
  t.equal(events.length, 1);
});

t.test('a stretch without text says why', async (t) => {
  const { line, open } = startLiveCall();
  const socket = open();
  line.listener.begun('a');
  line.listener.failed('a', new VelloError('UPSTREAM_FAILED'));
  t.match(socket.last('final'), { item: 0, text: '', error: 'UPSTREAM_FAILED' });
});

t.test("a socket that is not the call's says nothing to it", async (t) => {
  const { call, open, line, events } = startLiveCall();
  open();
  const stranger = createMemorySocket();
  call.refuse(stranger, 'no');
  call.take(stranger, { type: 'end' });
  call.detach(stranger, true);
  t.same(line.sent, []);
  t.equal(events.length, 0);
});

import t from 'tap';
import { describeAdmission, describeExchange, type ExchangeFacts } from '../../../actors/relay/describe-exchange.ts';
import { MOST_AUDIO_SECONDS } from '../../../actors/events/usage-event.ts';

const facts: ExchangeFacts = {
  eventId: 'event',
  type: 'transcribe',
  requestId: 'request',
  sessionId: 'session',
  caller: { userId: 'user', deviceId: 'device' },
  provider: 'openai',
  model: 'whisper-1',
  keyId: 'k1',
  outcome: 'ok',
  status: 200,
  startedAtMs: 1,
  ttfbMs: 120.4,
  durationMs: 900.6,
  bytesIn: 64_000,
  bytesOut: 180,
  uploadComplete: true,
  audio: { audioSeconds: 7.2, source: 'header' },
  textBytes: 0,
  images: 0,
  answer: { finished: true },
  clientLeft: false,
  attempts: 1,
  traceparent: '',
  prompt: '',
};

t.test('a request that is only admitted has what its event will have, and no provider yet', async (t) => {
  const ids = { eventId: 'event', type: 'transcribe', requestId: 'request', sessionId: 'session' };
  const known = { ...ids, provider: '', model: 'whisper-1', keyId: '', startedAtMs: 1 };
  t.strictSame(describeAdmission({ ...facts, caller: {} }), known);
  const traceparent = '00-0af7-b7ad-01';
  t.strictSame(describeAdmission({ ...facts, traceparent }), {
    ...{ ...known, userId: 'user', deviceId: 'device' },
    traceparent,
  });
});

t.test('the length is what the provider counted, then what the audio itself says, then a guess', async (t) => {
  const lengthOf = (changes: Partial<ExchangeFacts>) => {
    const { audioSeconds, audioSource } = describeExchange({ ...facts, ...changes });
    return [audioSource, audioSeconds];
  };
  const counted = (audioSeconds: number) => ({ answer: { finished: true, audioSeconds } });
  const guess = { audio: { audioSeconds: 4, source: 'estimate' } } as const;
  t.same(lengthOf({}), ['header', 7.2]);
  t.same(lengthOf(counted(60)), ['usage', 60], 'the provider heard more');
  t.same(lengthOf(counted(3)), ['usage', 3], 'the provider heard less');
  t.same(lengthOf(counted(1e9)), ['header', 7.2], 'no recording is that long');
  t.same(lengthOf({ ...guess, ...counted(6) }), ['usage', 6]);
  t.same(lengthOf(guess), ['estimate', 4]);
  t.same(lengthOf({ uploadComplete: false, ttfbMs: undefined }), ['none', 0], 'nobody heard it');
  t.same(lengthOf({ uploadComplete: false }), ['header', 7.2], 'the provider answered to what it had');
  t.same(lengthOf({ type: 'process', ...counted(6) }), ['none', 0]);
});

t.test('the text is kept only where its desktop did not get it', async (t) => {
  const answer = { finished: true, text: 'words' };
  t.notOk('result' in describeExchange({ ...facts, answer }));
  t.match(describeExchange({ ...facts, answer, clientLeft: true }), { result: 'words' });
  t.notOk('result' in describeExchange({ ...facts, answer, clientLeft: true, type: 'process' }));
});

t.test('a chat without an account of the provider is counted by what passed, and says so', async (t) => {
  const chat = { ...facts, type: 'process', textBytes: 400, answer: { finished: false, passedTokens: 30 } } as const;
  const estimated = { prompt_tokens: 100, completion_tokens: 30, estimated: true };
  t.same(describeExchange({ ...chat, outcome: 'client_abort' }).usage, estimated, 'left before the account');
  t.same(describeExchange(chat).usage, estimated, 'asked for none');
  t.notOk(describeExchange({ ...chat, status: 400 }).usage);
  const usage = { prompt_tokens: 1 };
  t.same(describeExchange({ ...chat, answer: { ...chat.answer, usage } }).usage, usage, 'the provider knows better');
});

t.test('every fact stands in the event as it was observed, times in whole milliseconds', async (t) => {
  t.strictSame(describeExchange({ ...facts, traceparent: 'trace', prompt: 'tidy@7' }), {
    ...{ eventId: 'event', type: 'transcribe', requestId: 'request', sessionId: 'session', provider: 'openai' },
    ...{ model: 'whisper-1', keyId: 'k1', outcome: 'ok', status: 200, startedAtMs: 1 },
    ...{ bytesIn: 64_000, bytesOut: 180, attempts: 1 },
    ...{ userId: 'user', deviceId: 'device', traceparent: 'trace', prompt: 'tidy@7' },
    ...{ ttfbMs: 120, durationMs: 901, audioSeconds: 7.2, audioSource: 'header' },
  });
  const closed = describeExchange({ ...facts, caller: {}, ttfbMs: undefined });
  for (const name of ['userId', 'deviceId', 'ttfbMs', 'traceparent', 'prompt', 'usage', 'result']) {
    t.notOk(name in closed, name);
  }
});

t.test('nothing is estimated for what was not answered, or is no chat', async (t) => {
  const chat = { ...facts, type: 'process', answer: { finished: false, passedTokens: 30 } } as const;
  const without: Readonly<Record<string, Partial<ExchangeFacts>>> = {
    'a recording': { type: 'transcribe' },
    'no answer began': { ttfbMs: undefined },
    'a refusal': { status: 400 },
    'nothing passed that could be counted': { answer: { finished: true } },
    'no answer': { answer: undefined },
  };
  for (const [name, changes] of Object.entries(without)) {
    t.notOk('usage' in describeExchange({ ...chat, ...changes }), name);
  }
  t.match(describeExchange({ ...chat, status: 399, textBytes: 5 }).usage, { completion_tokens: 30, estimated: true });
});

t.test(
  'a provider may count what so many bytes can hold, four months of sound at most, and not a second more',
  async (t) => {
    const counted = (audioSeconds: number, bytesIn = 1e9) =>
      describeExchange({ ...facts, bytesIn, answer: { finished: true, audioSeconds } }).audioSource;
    t.equal(counted(1000, 64_000), 'usage');
    t.equal(counted(1001, 64_000), 'header');
    t.equal(counted(60, 100), 'usage', 'what is short may be rounded up to a minute');
    t.equal(counted(61, 100), 'header');
    t.equal(counted(MOST_AUDIO_SECONDS), 'usage');
    t.equal(counted(MOST_AUDIO_SECONDS + 1), 'header');
    t.equal(counted(0.5), 'usage');
    t.equal(counted(0), 'header');
  },
);

t.test('images that nobody counted are taken for a thousand tokens each', async (t) => {
  const answer = { finished: true, passedTokens: 0 };
  const made = { ...facts, type: 'process', textBytes: 40, images: 3, answer } as const;
  t.same(describeExchange(made).usage, { prompt_tokens: 10, completion_tokens: 3_000, estimated: true });
  const usage = { input_tokens: 4, output_tokens: 5 };
  t.same(describeExchange({ ...made, answer: { ...answer, usage } }).usage, usage);
  t.same(describeExchange({ ...made, images: 0 }).usage, {
    ...{ prompt_tokens: 10, completion_tokens: 0, estimated: true },
  });
});

t.test('an account that no event can hold, because it is nested without end, is none', async (t) => {
  const usage = JSON.parse('{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000)) as Record<string, unknown>;
  const answer = { finished: true, passedTokens: 3, usage };
  t.same(describeExchange({ ...facts, type: 'process', textBytes: 4, answer }).usage, {
    ...{ prompt_tokens: 1, completion_tokens: 3, estimated: true },
  });
  t.equal(describeExchange({ ...facts, answer }).usage, undefined);
});

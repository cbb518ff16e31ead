import t from 'tap';
import { creditsFor, transcriptionCredits } from '../../../actors/credits/credits-for.ts';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import { usageEvent } from '../../fixtures/usage-event.ts';

const cost = { creditsPer1kInput: 1, creditsPer1kOutput: 4, minimumCredits: 2 };
const price = (changes: Partial<UsageEvent>) => creditsFor(usageEvent(changes), cost);

t.test('seconds of audio become credits by the formula of the contract', async (t) => {
  for (const [seconds, credits] of [
    [0, 1],
    [0.05, 1],
    [0.18, 1],
    [0.2699, 1],
    [0.27, 2],
    [1, 6],
    [7.5, 42],
    [9, 50],
    [60, 333],
    [3600, 20_000],
    [86_400, 480_000],
  ] as const) {
    t.equal(transcriptionCredits(seconds), credits, `${seconds} s`);
  }
});

t.test('rounds half a credit up, never down to nothing', async (t) => {
  const half = 1.5 / 5.555556;
  t.equal(transcriptionCredits(half - 1e-9), 1);
  t.equal(transcriptionCredits(half + 1e-9), 2);
});

t.test('processing costs by its tokens, whichever way the provider names them', async (t) => {
  const usage = { prompt_tokens: 1500, completion_tokens: 250 };
  t.equal(price({ type: 'process', usage }), 3, '1.5 + 1.0 rounds half up');
  t.equal(price({ type: 'process', usage: { input_tokens: 10_000, output_tokens: 1000 } }), 14);
});

t.test('processing without a usable count costs the minimum', async (t) => {
  for (const usage of [{}, { prompt_tokens: 'many' }, { prompt_tokens: -5 }, { completion_tokens: null }]) {
    t.equal(price({ type: 'process', usage }), 2);
  }
});

t.test('a request without an answer is free', async (t) => {
  t.equal(price({ outcome: 'upstream_error', status: 502 }), 0);
  t.equal(price({ outcome: 'timeout', status: 504 }), 0);
  t.equal(price({ outcome: 'shutdown', status: 503 }), 0);
  t.equal(price({ outcome: 'ok', status: 400 }), 0);
  const { ttfbMs: _, ...silent } = usageEvent({ outcome: 'client_abort', audioSeconds: 9 });
  t.equal(creditsFor(silent, cost), 0);
});

t.test('an answer that was cut short or left behind is paid for', async (t) => {
  t.equal(price({ outcome: 'truncated', audioSeconds: 9 }), 50);
  t.equal(price({ outcome: 'client_abort', audioSeconds: 9, result: 'words' }), 50);
  const usage = { prompt_tokens: 1500, completion_tokens: 250, estimated: true };
  for (const outcome of ['truncated', 'client_abort'] as const) t.equal(price({ type: 'process', outcome, usage }), 3);
});

t.test('a count of nothing, or beyond what one call can use, is none', async (t) => {
  const input = (prompt_tokens: number) => price({ type: 'process', usage: { prompt_tokens } });
  t.equal(input(1e9), 1_000_000);
  t.equal(input(1e9 + 1), 2);
  t.equal(price({ type: 'process', usage: { prompt_tokens: 0, input_tokens: 7000 } }), 7, 'the other name counts then');
  t.equal(price({ outcome: 'ok', status: 399, audioSeconds: 9 }), 50);
});

t.test('a recording whose text was kept is paid for, although nobody saw an answer begin', async (t) => {
  const { ttfbMs: _, ...silent } = usageEvent({ outcome: 'client_abort', audioSeconds: 9, result: 'words' });
  t.equal(creditsFor(silent, cost), 50);
});

t.test('the price of a model multiplies its tokens, and a fraction of one is a token too', async (t) => {
  const dear = { creditsPer1kInput: 20, creditsPer1kOutput: 40, minimumCredits: 0 };
  const usage = { prompt_tokens: 1500, completion_tokens: 250 };
  t.equal(creditsFor(usageEvent({ type: 'process', usage }), dear), 40);
  t.equal(
    creditsFor(usageEvent({ type: 'process', usage: { prompt_tokens: 0.5 } }), { ...dear, creditsPer1kInput: 1000 }),
    1,
  );
  const perToken = { ...dear, creditsPer1kInput: 1000, creditsPer1kOutput: 1000 };
  t.equal(creditsFor(usageEvent({ type: 'process' }), perToken), 0, 'what was not counted is nothing');
});

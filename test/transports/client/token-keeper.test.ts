import t from 'tap';
import { ClientError, localError } from '../../../transports/client/client-error.ts';
import { createTokenKeeper, type HeldTokens } from '../../../transports/client/token-keeper.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';

const pair = (name: string): HeldTokens => ({ access_token: name, expires_in: 900, refresh_token: `r-${name}` });
const settle = () => new Promise((resolve) => setImmediate(resolve));

function setUp(t: { teardown(fn: () => void): void }, refresh: (token: string) => Promise<HeldTokens>) {
  const clock = createManualClock();
  const closing = new AbortController();
  t.teardown(() => closing.abort());
  const calls: string[] = [];
  const keeper = createTokenKeeper({
    clock,
    signal: closing.signal,
    source: {
      refresh: async (token) => {
        calls.push(token);
        return refresh(token);
      },
      authenticate: async () => {
        calls.push('authenticate');
        return pair('fresh');
      },
    },
  });
  return { clock, keeper, calls };
}

t.test('a token is renewed a minute before it ends, and who listens is told', async (t) => {
  const { clock, keeper, calls } = setUp(t, async () => pair('second'));
  const heard: string[] = [];
  keeper.accept(pair('first'));
  keeper.onRenewed((token) => heard.push(token));
  clock.advance(839_000);
  t.strictSame(calls, []);
  clock.advance(1_000);
  await settle();
  t.strictSame([calls, heard, await keeper.token()], [['r-first'], ['second'], 'second']);
});

t.test('a hundred who ask at once cause one renewal', async (t) => {
  const { clock, keeper, calls } = setUp(t, async () => pair('second'));
  keeper.accept(pair('first'));
  clock.setNow(clock.now() + 3_600_000);
  const tokens = await Promise.all(Array.from({ length: 100 }, () => keeper.token()));
  t.strictSame([new Set(tokens), calls.length], [new Set(['second']), 1]);
});

t.test('a machine that slept through the end of its token renews it before use', async (t) => {
  const { clock, keeper } = setUp(t, async () => pair('second'));
  keeper.accept(pair('first'));
  clock.setNow(clock.now() + 901_000);
  t.equal(await keeper.token(), 'second');
});

t.test('a renewal whose answer was lost is repeated with the same refresh token', async (t) => {
  let lost = 2;
  const { clock, keeper, calls } = setUp(t, async () => {
    if (lost-- > 0) throw localError('NETWORK', 'lost');
    return pair('second');
  });
  keeper.accept(pair('first'));
  const replaced = keeper.replace('first');
  for (let turn = 0; turn < 10; turn += 1) {
    await settle();
    clock.advance(20_000);
  }
  t.equal(await replaced, 'second');
  t.strictSame(calls.slice(0, 3), ['r-first', 'r-first', 'r-first']);
});

t.test('a refresh token that is no longer taken leads back to the device key', async (t) => {
  const { keeper, calls } = setUp(t, async () => {
    throw new ClientError('AUTH_REFRESH_REUSED', 'used', { status: 401 });
  });
  keeper.accept(pair('first'));
  t.equal(await keeper.replace('first'), 'fresh');
  t.strictSame(calls, ['r-first', 'authenticate']);
});

t.test('a token that was replaced meanwhile is not replaced again', async (t) => {
  const { keeper, calls } = setUp(t, async () => pair('third'));
  keeper.accept(pair('second'));
  t.equal(await keeper.replace('first'), 'second');
  t.strictSame(calls, []);
});

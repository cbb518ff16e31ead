import t from 'tap';
import { gatewayConfigOf, providerOf } from '../../supervisors/gateway-parts.ts';

t.test('the provider is the one that is set, else OpenAI where there is a key, else our inference role', async (t) => {
  const inferenceListen = { host: '0.0.0.0', port: 8082 };
  const base = {
    inferenceListen,
    providerCountsStreams: true,
    providerUrl: undefined,
    providerKey: undefined,
  };
  t.match(providerOf(base, 'ours'), { name: 'inference', baseUrl: 'http://127.0.0.1:8082', isOwn: true });
  t.match(providerOf({ ...base, providerKey: 'k' }, 'ours'), { name: 'openai', baseUrl: 'https://api.openai.com' });
  const own = providerOf({ ...base, providerUrl: 'http://engine:9000/v1' }, 'ours');
  t.match(own, { name: 'provider', baseUrl: 'http://engine:9000', keys: [], isOwn: false });
  const remote = providerOf({ ...base, providerUrl: 'http://engine:9000/v1', providerKey: 'ours' }, 'ours');
  t.match(remote, { name: 'provider', isOwn: true }, 'the inference role of another host, by its key');
  t.notMatch(JSON.stringify(providerOf(base, 'ours')), /ours/);
});

t.test(
  'each provider is called with the key that was set for it, and is believed to count its streams as was set',
  async (t) => {
    const base = { inferenceListen: { host: '127.0.0.1', port: 8082 }, providerUrl: undefined };
    const keysOf = (provider: ReturnType<typeof providerOf>) => provider.keys.map((key) => `${key.id} ${key.reveal()}`);
    t.strictSame(keysOf(providerOf({ ...base, providerKey: undefined, providerCountsStreams: true }, 'ours')), [
      'inference ours',
    ]);
    for (const providerUrl of [undefined, 'http://engine:9000']) {
      for (const providerCountsStreams of [true, false]) {
        const provider = providerOf({ ...base, providerUrl, providerKey: 'theirs', providerCountsStreams }, 'ours');
        t.strictSame(keysOf(provider), ['settings theirs']);
        t.equal(provider.countsStreams, providerCountsStreams);
      }
    }
  },
);

t.test('only a version at the end is taken off a base address', async (t) => {
  const at = (providerUrl: string) =>
    providerOf(
      {
        inferenceListen: { host: '127.0.0.1', port: 1 },
        providerUrl,
        providerKey: 'k',
        providerCountsStreams: true,
      },
      'ours',
    ).baseUrl;
  t.equal(at('http://engine/v1/openai'), 'http://engine/v1/openai');
  t.equal(at('http://engine/openai/v1'), 'http://engine/openai');
});

t.test('recordings to OpenAI have its own bound, unless another is set; those to others have none', async (t) => {
  const boundsOf = (given: { readonly providerUrl?: string; readonly uploadBytes?: ReadonlyMap<string, number> }) => {
    const { providerUrl, uploadBytes } = given;
    const listen = { host: '127.0.0.1', port: 1 };
    const settings = { inferenceListen: listen, providerKey: 'k', providerCountsStreams: true };
    return Object.fromEntries(gatewayConfigOf({ ...settings, providerUrl, uploadBytes }, 'ours').uploadBytes);
  };
  t.strictSame(boundsOf({}), { '*': 26_214_400 });
  t.strictSame(boundsOf({ providerUrl: 'https://api.openai.com/v1' }), { '*': 26_214_400 });
  t.strictSame(boundsOf({ providerUrl: 'https://api.openai.com.example/v1' }), {});
  t.strictSame(boundsOf({ uploadBytes: new Map([['m', 5]]) }), { m: 5 });
});

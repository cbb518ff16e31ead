import { inspect } from 'node:util';
import t from 'tap';
import {
  needsModel,
  providerFor,
  singleProviderConfig,
  uploadBound,
  type GatewayConfig,
} from '../../../actors/relay/gateway-config.ts';
import { createProviderKeys, ProviderKey } from '../../../actors/relay/provider-key.ts';

const config = (providerByModel: Readonly<Record<string, string>>): GatewayConfig => ({
  ...singleProviderConfig({ name: 'openai', baseUrl: 'http://127.0.0.1', keys: [] }),
  providerByModel: new Map(Object.entries(providerByModel)),
});

t.test('a model decides where it is listed; the default provider serves the rest', async (t) => {
  const listed = config({ llama: 'own' });
  t.equal(providerFor(listed, 'llama'), 'own');
  t.equal(providerFor(listed, 'gpt'), 'openai');
  t.equal(providerFor(listed, undefined), 'openai');
});

t.test('a body waits for its model only where models go to different providers', async (t) => {
  t.equal(needsModel(config({})), false);
  t.equal(needsModel(config({ gpt: 'openai' })), false);
  t.equal(needsModel(config({ gpt: 'openai', llama: 'own' })), true);
  t.match(config({}), { version: 'settings', defaultProvider: 'openai', defaultModels: {} });
});

t.test('keys are taken in turn, and none where the provider asks for none', async (t) => {
  const [a, b] = [new ProviderKey('a', 'secret-a'), new ProviderKey('b', 'secret-b')];
  const ring = createProviderKeys([a, b]);
  t.strictSame([ring.next(), ring.next(), ring.next()], [a, b, a]);
  t.equal(ring.size, 2);
  t.equal(createProviderKeys([]).next(), undefined);
});

t.test('a key shows its id however it is printed, and its secret to who asks for it', async (t) => {
  const key = new ProviderKey('k1', 'secret');
  t.equal(key.reveal(), 'secret');
  t.equal(JSON.stringify({ key }), '{"key":{"id":"k1"}}');
  t.notMatch(inspect(key, { showHidden: true, depth: 5 }), /secret/);
});

t.test("a body is bounded by its model's own number, and a recording by * where it has none", async (t) => {
  const bounds = { uploadBytes: new Map(Object.entries({ small: 5, '*': 9 })) };
  for (const [type, model, most] of [
    ['transcribe', 'small', 5],
    ['transcribe', 'other', 9],
    ['transcribe', undefined, 9],
    ['process', 'small', 5],
    ['process', 'other', undefined],
    ['process', undefined, undefined],
  ] as const) {
    t.equal(uploadBound(bounds, type, model), most, `${type} ${model}`);
  }
  t.equal(uploadBound(config({}), 'transcribe', 'small'), undefined);
});

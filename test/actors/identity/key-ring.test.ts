import t from 'tap';
import { keyFollower } from '../../../actors/identity/key-follower.ts';
import type { AnnouncedTable } from '../../../actors/ports/announced-changes.ts';
import { generateSigningKey, openKeyRing } from '../../../actors/identity/key-ring.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemorySigningKeys } from '../../fixtures/memory-signing-keys.ts';
import { pass, settled } from '../../fixtures/settled.ts';

const sealingKey = Buffer.alloc(32, 7);

t.test('a ring that finds keys makes none', async (t) => {
  const clock = createManualClock();
  const store = createMemorySigningKeys();
  let provided = 0;
  const counting = {
    ...store,
    provide: (...keys: Parameters<typeof store.provide>) => ((provided += 1), store.provide(...keys)),
  };
  const first = await openKeyRing({ store: counting, sealingKey, clock });
  const second = await openKeyRing({ store: counting, sealingKey, clock });
  t.equal(provided, 1);
  t.strictSame(second.jwks(), first.jwks());
});

t.test('the published keys are what RFC 7517 and RFC 8037 say: current, next, retired', async (t) => {
  const clock = createManualClock();
  const store = createMemorySigningKeys();
  const ring = await openKeyRing({ store, sealingKey, clock });
  store.rotate(generateSigningKey(sealingKey), clock.now());
  await ring.reload();
  const states = new Map((await store.load(0)).map(({ kid, state }) => [kid, state]));
  t.strictSame(
    ring.jwks().keys.map(({ kid = '' }) => states.get(kid)),
    ['current', 'next', 'retired'],
  );
  for (const key of ring.jwks().keys) {
    t.match(key, { kty: 'OKP', crv: 'Ed25519', alg: 'Ed25519', use: 'sig', kid: /^[\w-]{16}$/, x: /^[\w-]{43}$/ });
    t.equal(key.d, undefined, 'no private half');
    t.ok(ring.publicKey(key.kid ?? ''));
  }
  t.equal(ring.publicKey('foreign'), undefined);
});

t.test('a retired key verifies for exactly an hour', async (t) => {
  const clock = createManualClock();
  const store = createMemorySigningKeys();
  const ring = await openKeyRing({ store, sealingKey, clock });
  const { kid } = ring.current();
  store.rotate(generateSigningKey(sealingKey), clock.now());
  clock.advance(3_599_999);
  await ring.reload();
  t.ok(ring.publicKey(kid));
  clock.advance(1);
  await ring.reload();
  t.equal(ring.publicKey(kid), undefined);
});

t.test('a ring whose current key was taken away says that it cannot sign', async (t) => {
  const clock = createManualClock();
  const store = { load: async () => [], provide: async () => undefined };
  await t.rejects(openKeyRing({ store, sealingKey, clock }), { code: 'UNAVAILABLE' });
});

t.test(
  'the follower forgets service keys at once, and reads signing keys when they or anything may have changed',
  async (t) => {
    const { system, clock } = createTestSystem();
    let change = (_: AnnouncedTable | undefined): void => undefined;
    const did: string[] = [];
    const changes = {
      follow: async (changed: typeof change) => {
        change = changed;
        return async () => void did.push('stopped');
      },
    };
    const keys = { reload: async () => void did.push('reloaded') } as unknown as Parameters<
      typeof keyFollower
    >[0]['keys'];
    system.spawn('keys', keyFollower({ changes, keys, services: { forget: () => did.push('forgot') } }));
    await settled();
    const heard = async (table: AnnouncedTable | undefined) => {
      change(table);
      await settled();
      return did.splice(0);
    };
    t.strictSame(await heard('service_keys'), ['forgot']);
    t.strictSame(await heard('signing_keys'), ['forgot', 'reloaded']);
    t.strictSame(await heard('system_prompts'), [], 'which are no keys');
    t.strictSame(await heard(undefined), ['forgot', 'reloaded']);
    await pass(clock, 60_000);
    t.strictSame(did.splice(0), ['reloaded'], 'retired keys leave by time');
    await system.stop();
    t.strictSame(did, ['stopped']);
  },
);

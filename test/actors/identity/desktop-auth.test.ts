import t from 'tap';
import { createHash } from 'node:crypto';
import { createDesktopAuth } from '../../../actors/identity/desktop-auth.ts';
import type { DesktopHandshake } from '../../../actors/sessions/desktop-auth.ts';
import { webSocketText } from '../../../actors/crypto/signed-texts.ts';
import { createIdentityDecisions } from '../../fixtures/identity-decisions.ts';

function setUp() {
  const world = createIdentityDecisions();
  const authenticator = {
    authenticate: () => Promise.reject(new Error('not asked')),
    authenticateBootstrap: async () => '',
  };
  const auth = createDesktopAuth({ ...world, authenticator });
  const principal = { userId: 'user', deviceId: 'device', familyId: 'family', expiresAtMs: Infinity };
  const now = () => Math.floor(world.clock.now() / 1000);
  const handshake = (more: Partial<DesktopHandshake> = {}): DesktopHandshake => {
    const facts = { deviceId: 'device', timestamp: now(), sequence: 1, token: 'token', ...more };
    const text = () => webSocketText({ ...facts, tokenSha256: createHash('sha256').update(facts.token).digest('hex') });
    return {
      signature:
        Number.isSafeInteger(facts.sequence) && Number.isSafeInteger(facts.timestamp) ? world.signed(text()) : '',
      ...facts,
    };
  };
  const present = (request: DesktopHandshake, of = principal) => auth.verifyHandshake(of, request);
  return { ...world, principal, handshake, present, now };
}

const invalid = { code: 'AUTH_SIGNATURE_INVALID' };

t.test('a request that its device signed is accepted once, with the skew of its clock', async (t) => {
  const { present, handshake, now, state } = setUp();
  t.equal(await present(handshake({ timestamp: now() - 40 })), -40_000);
  t.strictSame(state.did, ['accepted 1']);
  await t.rejects(present(handshake({ timestamp: now() - 40 })), { code: 'AUTH_SEQUENCE_REPLAYED' });
});

t.test('token and handshake must name one device', async (t) => {
  const { present, handshake, principal, state } = setUp();
  await t.rejects(present(handshake(), { ...principal, deviceId: 'another device' }), invalid);
  await t.rejects(present(handshake(), { ...principal, userId: 'another user' }), invalid);
  await t.rejects(present(handshake({ deviceId: 'another device' })), invalid);
  state.device = undefined;
  await t.rejects(present(handshake()), invalid, 'a device that is unknown');
  t.strictSame(state.did, []);
});

t.test('what is signed is what is sent', async (t) => {
  const { present, handshake } = setUp();
  const good = handshake();
  const altered: Readonly<Record<string, DesktopHandshake>> = {
    'another sequence': { ...good, sequence: 2 },
    'another time': { ...good, timestamp: good.timestamp + 1 },
    'another token': { ...good, token: 'other' },
    'no signature': { ...good, signature: '' },
    'a short signature': { ...good, signature: good.signature.slice(0, -2) },
    'a padded signature': { ...good, signature: `${good.signature}==` },
    'a fractional sequence': handshake({ sequence: 1.5 }),
    'sequence zero': handshake({ sequence: 0 }),
    'a negative sequence': handshake({ sequence: -1 }),
    'a sequence beyond what can be counted': handshake({ sequence: 2 ** 53 }),
    'a fractional time': handshake({ timestamp: good.timestamp + 0.5 }),
    'no time': handshake({ timestamp: NaN }),
  };
  for (const [name, request] of Object.entries(altered)) await t.rejects(present(request), invalid, name);
  await t.resolves(present(good));
});

t.test('a clock may be two hours off, either way, and not a second more', async (t) => {
  const { present, handshake, now } = setUp();
  const most = 7200;
  for (const offBy of [most + 1, -most - 1]) {
    await t.rejects(present(handshake({ timestamp: now() + offBy })), {
      code: 'AUTH_CLOCK_SKEW',
      extras: { members: { server_time: /^\d{4}-/ } },
    });
  }
  await t.resolves(present(handshake({ timestamp: now() + most, sequence: 1 })));
  await t.resolves(present(handshake({ timestamp: now() - most, sequence: 2 })));
});

t.test('a revoked device, and one that must authenticate anew, open nothing', async (t) => {
  const { present, handshake, state, device } = setUp();
  state.device = { ...device, revoked: true };
  await t.rejects(present(handshake()), { code: 'AUTH_DEVICE_REVOKED' });
  state.device = { ...device, mustReauthenticate: true };
  await t.rejects(present(handshake()), { code: 'AUTH_REAUTHENTICATE' });
  t.strictSame(state.did, [], 'no number was used up');
  await t.rejects(
    present({ ...handshake(), signature: handshake({ sequence: 9 }).signature }),
    invalid,
    'told to its owner only',
  );
});

t.test('a second writer ends the families of the device, and a number far ahead halts nobody', async (t) => {
  const { present, handshake, grants, state, now } = setUp();
  await t.rejects(present(handshake({ sequence: Number.MAX_SAFE_INTEGER })), { code: 'AUTH_REAUTHENTICATE' });
  await t.resolves(present(handshake()));
  t.strictSame(grants.operations, []);
  await t.rejects(present(handshake({ timestamp: now() + 1 })), { code: 'AUTH_REAUTHENTICATE' });
  t.strictSame(state.did, ['accepted 1', 'second writer']);
  t.strictSame(grants.operations, [{ op: 'revoke', scope: { familyId: 'family' } }]);
  await t.rejects(present(handshake({ sequence: 2 })), { code: 'AUTH_REAUTHENTICATE' }, 'until the next challenge');
});

t.test('a window that was lost goes on above the number that the database knows', async (t) => {
  const { present, handshake, state, device } = setUp();
  state.device = { ...device, sequenceHigh: 7 };
  await t.rejects(present(handshake({ sequence: 7 })), { code: 'AUTH_SEQUENCE_REPLAYED' });
  await t.resolves(present(handshake({ sequence: 8 })));
});

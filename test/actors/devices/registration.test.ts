import t from 'tap';
import { sourceAddress } from '../../../actors/bounds/source-address.ts';
import { registerDevice, validateDevice, type RegisterRequest } from '../../../actors/devices/registration.ts';
import type { HardwareEvidence } from '../../../actors/devices/hardware-verdict.ts';
import type {
  DeviceRegistry,
  RegistrationCandidate,
  RegistrationOutcome,
} from '../../../actors/devices/device-registry.ts';
import { createIdentityDecisions } from '../../fixtures/identity-decisions.ts';

const fingerprints = { machine_id: '9f27c11e5ab04d', disk_serial: '5VEGK19T', cpu_id: 'GenuineIntel-6-158' };
const nothingKnown: HardwareEvidence = { own: undefined, groups: [], pairs: [] };
const existing: RegistrationOutcome = {
  ...{ outcome: 'existing', userId: 'user', deviceId: 'device', granted: 0, balance: 7 },
  ...{ suspended: false, superseded: [] },
};

function setUp(outcome: RegistrationOutcome = existing) {
  const world = createIdentityDecisions();
  const seen: { candidate?: RegistrationCandidate; verdict?: string; owner?: object; lifeMs?: number } = {};
  const registry: DeviceRegistry = {
    evidence: async () => nothingKnown,
    register: async (candidate, judge) => {
      Object.assign(seen, { candidate, verdict: judge(nothingKnown).verdict });
      return outcome;
    },
  };
  const pairs = {
    issue: async (owner: object, refreshToken: string, lifeMs: number) => {
      Object.assign(seen, { owner, lifeMs });
      return { access_token: 'access', expires_in: 900, refresh_token: refreshToken, refresh_expires_in: 1 };
    },
  };
  const deps = { ...world, registry, pairs, peppers: new Map([[1, Buffer.alloc(32, 1)]]), devicesPerHardware: 5 };
  const request: RegisterRequest = {
    ...{ publicKey: world.publicKey, fingerprints, address: sourceAddress('192.0.2.1') },
    device: { name: 'laptop', os: 'linux', appVersion: '1' },
  };
  return {
    ...world,
    seen,
    request,
    deps,
    register: (more: Partial<RegisterRequest> = {}) => registerDevice({ ...request, ...more }, deps),
  };
}

t.test('a new device is told what it was given, and its family lives from now', async (t) => {
  const created = { ...existing, outcome: 'created', granted: 5000, balance: 5000 } as const;
  const { register, seen, grants, device } = setUp(created);
  const { created: isNew, answer } = await register();
  t.equal(isNew, true);
  t.match(answer, {
    user_id: 'user',
    device_id: 'device',
    access_token: 'access',
    credits: { granted: 5000, balance: 5000 },
  });
  t.match(seen, { verdict: 'new', owner: { userId: 'user', deviceId: 'device' }, lifeMs: 7 * 86_400_000 });
  t.strictSame(seen.candidate?.publicKey, device.publicKey);
  t.match(seen.owner, { familyId: seen.candidate?.family.familyId });
  t.strictSame(grants.operations, [{ op: 'limit', userId: 'user', requestsAtOnce: 8 }], 'what 5000 credits open');
});

t.test('a known device is not new; its older sign-ins end, and a suspension is said again', async (t) => {
  const { register, grants } = setUp({ ...existing, suspended: true, superseded: ['older', 'oldest'] });
  const { created, answer } = await register();
  t.equal(created, false);
  t.match(answer, { credits: { granted: 0, balance: 7 } });
  t.strictSame(grants.operations, [
    { op: 'revoke', scope: { familyId: 'older' } },
    { op: 'revoke', scope: { familyId: 'oldest' } },
    { op: 'suspend', userId: 'user' },
  ]);
});

t.test('what is refused is refused by its code, and gets no tokens', async (t) => {
  const refusals = [
    [{ outcome: 'blocked', blockedBy: 'rule' }, 'DEVICE_BLOCKED'],
    [{ outcome: 'revoked' }, 'AUTH_DEVICE_REVOKED'],
  ] as const;
  for (const [outcome, code] of refusals) {
    const { register, seen } = setUp(outcome);
    await t.rejects(register(), { code });
    t.equal(seen.owner, undefined);
  }
  const { register, seen } = setUp();
  await t.rejects(register({ publicKey: `AQ${'A'.repeat(41)}` }), { code: 'AUTH_KEY_INVALID' });
  await t.rejects(register({ fingerprints: { machine_id: 'only-one-1' } }), { code: 'INVALID_FIELDS' });
  t.equal(seen.candidate, undefined, 'nothing was registered');
});

t.test('registrations are counted by address, validations by key', async (t) => {
  const { register, request, deps } = setUp();
  for (let n = 0; n < 120; n += 1) await register();
  await t.rejects(register(), { code: 'RATE_LIMITED' });
  await t.resolves(register({ address: sourceAddress('192.0.2.2') }));
  const validate = (publicKey = request.publicKey) => validateDevice({ publicKey, fingerprints }, deps);
  for (let n = 0; n < 20; n += 1) t.strictSame(await validate(), { verdict: 'new', matches: [], credits_offer: 5000 });
  await t.rejects(validate(), { code: 'RATE_LIMITED' });
  await t.resolves(validate('another'));
});

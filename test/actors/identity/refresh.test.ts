import t from 'tap';
import type { PresentedToken } from '../../../actors/identity/token-families.ts';
import { decideRotation } from '../../../actors/identity/refresh.ts';

const NOW = 1_750_000_000_000;
const token = (more: Partial<PresentedToken> = {}): PresentedToken => ({
  tokenId: 'token',
  familyId: 'family',
  userId: 'user',
  deviceId: 'device',
  expiresAtMs: NOW + 1000,
  familyExpiresAtMs: NOW + 86_400_000,
  familyRevoked: false,
  usedAtMs: undefined,
  successorUsed: false,
  deviceRevoked: false,
  mustReauthenticate: false,
  hardwareBlocked: false,
  creditsSuspended: false,
  balance: 5000,
  ...more,
});
const decide = (more: Partial<PresentedToken>) => decideRotation(token(more), NOW, () => Buffer.alloc(32));

t.test('rotates an unused token, and never past the end of its family', async (t) => {
  t.match(decide({}), { kind: 'rotate', atMs: NOW, successor: { expiresAtMs: NOW + 86_400_000 } });
  const week = 7 * 86_400_000;
  t.match(decide({ familyExpiresAtMs: NOW + 90 * 86_400_000 }), { successor: { expiresAtMs: NOW + week } });
});

t.test('repeats a rotation for ten seconds, to the immediate parent only', async (t) => {
  t.match(decide({ usedAtMs: NOW - 10_000 }), { kind: 'repeat' });
  t.match(decide({ usedAtMs: NOW - 10_001 }), { kind: 'revoke' });
  t.match(decide({ usedAtMs: NOW - 1, successorUsed: true }), { kind: 'revoke' });
});

t.test('a revoked family has no grace, and what is over is refused by its reason', async (t) => {
  t.match(decide({ familyRevoked: true, usedAtMs: NOW - 1 }), { kind: 'refuse', code: 'AUTH_REFRESH_INVALID' });
  t.match(decide({ expiresAtMs: NOW }), { kind: 'refuse', code: 'AUTH_REFRESH_INVALID' });
  t.match(decide({ familyExpiresAtMs: NOW }), { kind: 'refuse', code: 'AUTH_REFRESH_INVALID' });
  t.match(decide({ deviceRevoked: true }), { kind: 'refuse', code: 'AUTH_DEVICE_REVOKED' });
  t.match(decide({ mustReauthenticate: true }), { kind: 'refuse', code: 'AUTH_REAUTHENTICATE' });
  t.match(decide({ hardwareBlocked: true }), { kind: 'refuse', code: 'DEVICE_BLOCKED' });
  t.match(decide({ hardwareBlocked: true, usedAtMs: NOW - 1 }), { kind: 'refuse' }, 'not by a repeat either');
});

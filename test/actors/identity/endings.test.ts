import t from 'tap';
import { revokeDevice } from '../../../actors/devices/device-control.ts';
import { deleteAccount } from '../../../actors/account/delete-account.ts';
import { createMemoryGrants } from '../../fixtures/memory-grants.ts';

const failing = () => Promise.reject(new Error('away'));

t.test('a deleted account is erased, forgotten and then closed everywhere', async (t) => {
  const grants = createMemoryGrants();
  const erased: string[] = [];
  const erasure = {
    erase: async (userId: string) => {
      t.strictSame(grants.operations, [], 'not closed before it is erased');
      erased.push(userId);
    },
    sweep: async () => 0,
  };
  await deleteAccount('user', { erasure, grants });
  t.strictSame(erased, ['user']);
  t.strictSame(grants.operations, [
    { op: 'limit', userId: 'user', requestsAtOnce: undefined },
    { op: 'revoke', scope: { userId: 'user' } },
  ]);
  grants.operations.length = 0;
  await t.rejects(deleteAccount('user', { erasure: { ...erasure, erase: failing }, grants }));
  t.strictSame(grants.operations, [], 'its owner can still ask again');
});

t.test('a revoked device is closed everywhere; one that is not his is unknown', async (t) => {
  const grants = createMemoryGrants();
  const devices = {
    rename: async () => true,
    revoke: async (userId: string, deviceId: string) => userId === 'user' && deviceId === 'device',
  };
  await revokeDevice({ userId: 'user', deviceId: 'device' }, { devices, grants });
  t.strictSame(grants.operations, [{ op: 'revoke', scope: { deviceId: 'device' } }]);
  const unknown = { code: 'DEVICE_NOT_FOUND' };
  await t.rejects(revokeDevice({ userId: 'another', deviceId: 'device' }, { devices, grants }), unknown);
  await t.rejects(revokeDevice({ userId: 'user', deviceId: 'another' }, { devices, grants }), unknown);
  t.equal(grants.operations.length, 1);
});

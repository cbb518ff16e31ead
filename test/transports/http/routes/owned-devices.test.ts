/** What an owner may do to a device, and what that ends. */
import t from 'tap';
import { startReadingApi } from '../../../fixtures/reading-api.ts';
import { v7 as uuidv7 } from 'uuid';

t.test('renames a device and shows it under its new name', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account();
  const renamed = await api.call(account, 'PATCH', `/api/devices/${account.deviceId}`, { name: 'Büro 🖥' });
  t.match(renamed, { status: 200, body: { device_id: account.deviceId, name: 'Büro 🖥', revoked_at: null } });
  t.match((await api.call(account, 'GET', '/api/devices')).body, { items: [{ name: 'Büro 🖥' }], next_cursor: null });
});

t.test('a revoked device loses its key, sessions, refresh tokens and gateway grants', async (t) => {
  const api = await startReadingApi(t);
  const { userId, deviceId } = await api.account();
  const [sessionId, familyId] = [uuidv7(), uuidv7()];
  await api.admin`insert into sessions (id, user_id, device_id, app_version) values (${sessionId}, ${userId}, ${deviceId}, '1')`;
  await api.admin`insert into refresh_token_families (id, user_id, session_id, device_id, expires_at)
    values (${familyId}, ${userId}, ${sessionId}, ${deviceId}, now() + interval '1 day')`;
  t.equal((await api.call({ userId, deviceId }, 'DELETE', `/api/devices/${deviceId}`)).status, 204);
  const [state] = await api.admin`select
    (select revoked_at is not null from devices where id = ${deviceId}) as device,
    (select bool_and(revoked_at is not null) from device_keys where device_id = ${deviceId}) as key,
    (select revoked_at is not null from refresh_token_families where id = ${familyId}) as family,
    (select end_reason from sessions where id = ${sessionId}) as session`;
  t.match(state, { device: true, key: true, family: true, session: 'device_revoked' });
  t.same(api.grants.operations, [{ op: 'revoke', scope: { deviceId } }]);
});

t.test('revoking again is recorded once and tells the gateways again, in case they were not told', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account();
  for (let n = 0; n < 3; n += 1) {
    t.equal((await api.call(account, 'DELETE', `/api/devices/${account.deviceId}`)).status, 204);
  }
  const events = await api.admin`select kind from auth_events where device_id = ${account.deviceId}`;
  t.same(
    events.map((row) => row['kind'] as string),
    ['device_revoked'],
  );
  t.equal(api.grants.operations.length, 3);
});

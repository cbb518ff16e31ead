/** With a hundred thousand accounts in the database, every statement of the api finds its rows by an index. */
import t from 'tap';
import { createDeviceMessages } from '../../transports/postgres/devices/device-messages.ts';
import { createKnownDevices } from '../../transports/postgres/identity/known-devices.ts';
import { createIdentityUpkeep } from '../../transports/postgres/identity/identity-upkeep.ts';
import { insertAccount } from '../fixtures/account.ts';
import { startApiRole } from '../fixtures/api-role.ts';
import { tourApi } from '../fixtures/api-tour.ts';
import { CROWD, crowd } from '../fixtures/crowded-database.ts';
import { explainFor, readLoggedPlans, wastefulPlans } from '../fixtures/logged-plans.ts';
import { createMigratedDatabase } from '../fixtures/migrated-database.ts';
import { startTestCluster } from '../fixtures/postgres.ts';

/** As many rows as there are services, keys or models, whatever the number of users. */
const SMALL = [
  'service_accounts',
  'service_keys',
  'signing_keys',
  'ai_models_costs',
  'system_prompts',
  'device_blocks',
  'schema_migrations',
];

t.test('no statement of the api reads a whole table of users', async (t) => {
  const cluster = await startTestCluster(t, { shared_buffers: '512MB', max_wal_size: '4GB', autovacuum: 'off' });
  // A server of its own: its log is what this test reads.
  process.env['VELLO_TEST_DATABASE_URL'] = cluster.url;
  const database = await createMigratedDatabase(t);
  await database.admin.unsafe(explainFor(['vello_api', 'vello_service']));
  await crowd(database.admin);

  const api = await startApiRole(t, database);
  await tourApi(api, api.call);
  // What no route asks for: timers, sockets, the second writer of a sequence.
  const account = await insertAccount(database.admin);
  const messages = createDeviceMessages(database.tenants);
  await messages.read(account, 0, 100);
  await messages.acknowledge(account, 1);
  const devices = createKnownDevices(database.system);
  await devices.findById(account.deviceId);
  await devices.requestAccepted(account.deviceId, 1, 0);
  await devices.secondWriterSeen(account, 2);
  const upkeep = createIdentityUpkeep(database.system);
  await upkeep.recentRestrictions(300_000);
  await upkeep.removeExpired();

  const plans = readLoggedPlans(cluster.logFile);
  const queries = new Set(plans.map((plan) => plan.query));
  t.ok(queries.size > 60, `${queries.size} statements were seen`);
  t.ok(
    [...queries].some((query) => query.includes('jsonb_to_recordset')),
    'the settlement among them',
  );
  t.same(wastefulPlans(plans, SMALL, 2500), []);
  const [users] = await database.admin`select count(*)::int as count from users`;
  t.ok((users?.['count'] as number) > CROWD);
});

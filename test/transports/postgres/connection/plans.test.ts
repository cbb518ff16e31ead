/**
 * Reads the plan of every statement that the code sends, from the server itself (auto_explain, told through notices), in a database of
 * 100 000 users: a look-up that reads a whole table shows here.
 */
import t from 'tap';
import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { HashedComponent } from '../../../../actors/devices/fingerprints.ts';
import { judgeHardware } from '../../../../actors/devices/hardware-verdict.ts';
import { newFamily } from '../../../../actors/identity/refresh.ts';
import { createAbandonedEvents } from '../../../../transports/postgres/credits/abandoned-events.ts';
import { createAccountErasure } from '../../../../transports/postgres/account/account-erasure.ts';
import { createAccountExport } from '../../../../transports/postgres/account/account-export.ts';
import { createAccountRecords } from '../../../../transports/postgres/account/account-records.ts';
import { createConfirmedTexts } from '../../../../transports/postgres/account/confirmed-texts.ts';
import { connectPostgres } from '../../../../transports/postgres/connection/connect.ts';
import { giveCredits, readCreditAccount } from '../../../../transports/postgres/operators/credit-accounts.ts';
import { runtimeUrl, type RuntimeRole } from '../../../../transports/postgres/schema/database-roles.ts';
import { createDeviceControl } from '../../../../transports/postgres/devices/device-control.ts';
import { createDeviceMessages } from '../../../../transports/postgres/devices/device-messages.ts';
import { createKnownDevices } from '../../../../transports/postgres/identity/known-devices.ts';
import { createDeviceRegistry } from '../../../../transports/postgres/devices/device-registry.ts';
import { blockHardware, unblockHardware } from '../../../../transports/postgres/operators/hardware-blocks.ts';
import { createIdentityUpkeep } from '../../../../transports/postgres/identity/identity-upkeep.ts';
import { createSettlement } from '../../../../transports/postgres/credits/settlement.ts';
import { createSystemDatabase } from '../../../../transports/postgres/connection/system.ts';
import { createTenantDatabase } from '../../../../transports/postgres/connection/tenant.ts';
import { createTokenFamilies } from '../../../../transports/postgres/identity/token-families.ts';
import { createMigratedDatabase } from '../../../fixtures/migrated-database.ts';
import { fillWithUsers } from '../../../fixtures/many-users.ts';
import { pricedEvent } from '../../../fixtures/priced-event.ts';

const USERS = 100_000;

const database = await createMigratedDatabase(t);
const { admin, adminUrl, secrets } = database;
const many = await fillWithUsers(admin, USERS);
await admin.unsafe(`
  alter database ${new URL(adminUrl).pathname.slice(1)} set session_preload_libraries = 'auto_explain';
  alter database ${new URL(adminUrl).pathname.slice(1)} set auto_explain.log_min_duration = 0;
  alter database ${new URL(adminUrl).pathname.slice(1)} set auto_explain.log_level = 'notice';
  alter database ${new URL(adminUrl).pathname.slice(1)} set auto_explain.log_format = 'json';
  alter database ${new URL(adminUrl).pathname.slice(1)} set auto_explain.log_nested_statements = on`);

const plans: Plan[] = [];
const pool = (role: RuntimeRole) => {
  const sql = connectPostgres(runtimeUrl(adminUrl, role, secrets.rolePasswords), {
    max: 1,
    name: 'plans',
    onNotice: (message) => {
      const start = message.indexOf('{');
      if (start >= 0 && message.includes('"Plan"')) plans.push(JSON.parse(message.slice(start)) as Plan);
    },
  });
  t.teardown(() => sql.end({ timeout: 1 }));
  return sql;
};
const system = createSystemDatabase(pool('vello_service'));
const tenants = createTenantDatabase(pool('vello_api'));
const operator = pool('vello_operator');

interface Node {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly Node[];
}
interface Plan {
  readonly 'Query Text': string;
  readonly Plan: Node;
}

/** A few rows for ever, or read as a whole on purpose. */
const SMALL = [
  'device_blocks',
  'service_accounts',
  'service_keys',
  'signing_keys',
  'ai_models_costs',
  'audit_log',
  'system_prompts',
];

const isLarge = (table = ''): boolean => !SMALL.includes(table) && !table.startsWith('pg_');

const scans = (node: Node): string[] => [
  ...(node['Node Type'] === 'Seq Scan' && isLarge(node['Relation Name']) ? [node['Relation Name'] ?? ''] : []),
  ...(node.Plans ?? []).flatMap(scans),
];

async function reads(t: Asserts, what: string, work: () => Promise<unknown>): Promise<void> {
  plans.length = 0;
  await work();
  t.ok(plans.length > 0, `${what}: ${plans.length} plans were seen`);
  const whole = plans.flatMap((plan) => scans(plan.Plan).map((table) => `${table}: ${plan['Query Text']}`));
  t.strictSame(whole, [], `${what} reads no whole table`);
}

type Asserts = Pick<typeof t, 'ok' | 'strictSame'>;

const fingerprints: readonly HashedComponent[] = (['machine_id', 'disk_serial', 'cpu_id'] as const).map(
  (component) => ({
    component,
    hashes: [{ pepperVersion: 1, hash: many.hash(component, 7) }],
  }),
);
const owner = { userId: many.userId(7), deviceId: many.deviceId(7) };
const now = Date.now();

t.test('identity', async (t) => {
  const registry = createDeviceRegistry(system);
  const devices = createKnownDevices(system);
  const families = createTokenFamilies(system);
  await reads(t, 'finding a device', () => devices.findByKey(many.publicKey(7)));
  await reads(t, 'finding a device by id', () => devices.findById(owner.deviceId));
  await reads(t, 'looking fingerprints up', () => registry.evidence(many.publicKey(8), fingerprints));
  const device = { name: 'Desk', os: 'linux', appVersion: '1' };
  const judge = (evidence: Parameters<typeof judgeHardware>[0]) => judgeHardware(evidence, 5);
  for (const publicKey of [many.publicKey(7), randomBytes(32)]) {
    const candidate = { publicKey, fingerprints, device, family: newFamily(now).family };
    await reads(t, 'registering', () => registry.register(candidate, judge));
  }
  await reads(t, 'signing in', () => devices.authenticated(owner, 3));
  await reads(t, 'a signed request', () => devices.requestAccepted(owner.deviceId, 4, 0));
  await reads(t, 'a second writer', () =>
    devices.secondWriterSeen({ userId: many.userId(9), deviceId: many.deviceId(9) }, 4),
  );
  const successor = { tokenId: uuidv7(), hash: randomBytes(32), expiresAtMs: now + 1000 };
  await reads(t, 'refreshing', () =>
    families.rotate(many.tokenHash(10), () => ({ kind: 'rotate', atMs: now, successor })),
  );
  await reads(t, 'reuse', () => families.rotate(many.tokenHash(10), () => ({ kind: 'revoke' })));
  await reads(t, 'logging out', () => families.end({ familyId: many.familyId(11), userId: many.userId(11) }, 'logout'));
  await reads(t, 'asking for a family', () => families.standing(many.familyId(12)));
  const upkeep = createIdentityUpkeep(system);
  await reads(t, 'saying restrictions again', () => upkeep.recentRestrictions(60_000));
  await reads(t, 'removing what expired', () => upkeep.removeExpired());
});

t.test('credits and jobs', async (t) => {
  const settlement = createSettlement(system);
  const batch = Array.from({ length: 100 }, (_, n) =>
    pricedEvent({ userId: many.userId(100 + n), deviceId: many.deviceId(100 + n) }, 3),
  );
  await reads(t, 'settling one event', () => settlement.settle([pricedEvent(owner, 2)]));
  await reads(t, 'settling a batch', () => settlement.settle(batch));
  await reads(t, 'settling it again', () => settlement.settle(batch));
  const abandoned = { stream: 's', entryId: '1', fields: {}, attempts: [], errorCode: 'EVENT_MALFORMED' };
  await reads(t, 'recording an abandoned event', () => createAbandonedEvents(system).record([abandoned]));
  const gift = { userId: owner.userId, amount: 5, reason: 'test', operator: 'tester', idempotencyKey: 'k' };
  await reads(t, 'giving credits', () => giveCredits(operator, gift));
  await reads(t, 'showing credits', () => readCreditAccount(operator, owner.userId, 20));
  await reads(t, 'blocking hardware', () =>
    blockHardware(operator, { deviceId: many.deviceId(20), reason: 'r', operator: 'o' }),
  );
  await reads(t, 'lifting it', () =>
    unblockHardware(operator, { deviceId: many.deviceId(20), reason: 'r', operator: 'o' }),
  );
});

t.test('what an owner asks', async (t) => {
  const records = createAccountRecords(tenants);
  const { userId, deviceId } = owner;
  for (const list of ['devices', 'jobs', 'transcriptions'] as const) {
    await reads(t, list, () => records[list](userId, { after: undefined, limit: 50 }));
    await reads(t, `${list}, next page`, () => records[list](userId, { after: many.userId(USERS), limit: 50 }));
  }
  await reads(t, 'the ledger', () => records.ledger(userId, { after: 9, limit: 50 }));
  await reads(t, 'the account', () => records.account(userId));
  await reads(t, 'one job', () => records.job(userId, many.jobId(7)));
  await reads(t, 'one device', () => records.device(userId, deviceId));
  await reads(t, 'the outbox', () => createDeviceMessages(tenants).read(owner, 0, 100));
  await reads(t, 'acknowledging', () => createDeviceMessages(tenants).acknowledge(owner, 5));
  await reads(t, 'confirming a text', () => createConfirmedTexts(tenants).confirm(owner, many.jobId(7), 'words'));
  await reads(t, 'renaming', () => createDeviceControl(tenants).rename(userId, deviceId, 'Other'));
  await reads(t, 'revoking', () => createDeviceControl(tenants).revoke(many.userId(30), many.deviceId(30)));
  await reads(t, 'exporting', async () => {
    for await (const _ of createAccountExport(tenants).pages(userId));
  });
  await reads(t, 'erasing', () => createAccountErasure(system).erase(many.userId(40)));
  await reads(t, 'sweeping erased accounts', () => createAccountErasure(system).sweep());
});

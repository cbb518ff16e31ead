/** The transaction in PostgreSQL that registers a device. What the evidence means is decided by the caller. */
import { newId } from '../../../actors/identity/new-id.ts';
import { COMPONENTS } from '../../../actors/devices/fingerprints.ts';
import type { HashedComponent } from '../../../actors/devices/fingerprints.ts';
import type { HardwareVerdict } from '../../../actors/devices/hardware-verdict.ts';
import type {
  DeviceRegistry,
  RegistrationCandidate,
  RegistrationOutcome,
} from '../../../actors/devices/device-registry.ts';
import type { TransactionSql } from '../connection/connect.ts';
import { readHardwareEvidence } from './hardware-evidence.ts';
import { moveCredits } from '../credits/ledger.ts';
import type { SystemSql } from '../connection/system.ts';
import { endFamiliesOfDevice, insertFamily } from '../identity/token-families.ts';

export function createDeviceRegistry(sql: SystemSql): DeviceRegistry {
  return {
    evidence: (publicKey, fingerprints) => readHardwareEvidence(sql, publicKey, fingerprints),
    register: (candidate, judge) =>
      sql.begin(async (tx): Promise<RegistrationOutcome> => {
        await lockRegistration(tx, candidate);
        let verdict = judge(await readHardwareEvidence(tx, candidate.publicKey, candidate.fingerprints));
        if (verdict.verdict === 'collision' && verdict.hardwareId !== undefined) {
          // Two registrations may reach one piece of hardware through different components: its history is read again, alone.
          await tx`select pg_advisory_xact_lock(${HARDWARE_LOCK}, hashtext(${verdict.hardwareId}))`;
          verdict = judge(await readHardwareEvidence(tx, candidate.publicKey, candidate.fingerprints));
        }
        return carryOut(tx, candidate, verdict);
      }),
  };
}

/** First half of the two-part advisory locks that stand for pieces of hardware. */
const HARDWARE_LOCK = 1;

/** Waits until no other registration with this key or one of these strong components is under way. Sorted, so that none deadlock. */
async function lockRegistration(tx: TransactionSql, { publicKey, fingerprints }: RegistrationCandidate): Promise<void> {
  const strong = fingerprints.filter(({ component }) => COMPONENTS[component] === 'strong');
  const names = [publicKey, ...strong.flatMap(({ hashes }) => hashes.map(({ hash }) => hash))];
  const locks = names.map((name) => name.readBigInt64BE().toString()).sort();
  await tx`select pg_advisory_xact_lock(l::bigint) from unnest(${tx.array(locks)}::text[]) with ordinality as u (l, n) order by n`;
}

async function carryOut(
  tx: TransactionSql,
  candidate: RegistrationCandidate,
  verdict: HardwareVerdict,
): Promise<RegistrationOutcome> {
  if (verdict.verdict === 'known') return registerAgain(tx, candidate);
  if (verdict.verdict === 'blocked') {
    if (verdict.blockedBy === 'rule' && verdict.hardwareId !== undefined) {
      await tx`insert into device_blocks (id, hardware_id, source, reason, blocked_by)
        values (${newId()}, ${verdict.hardwareId}, 'rule', 'More accounts than one piece of hardware may hold', 'vello')
        on conflict do nothing`;
    }
    return { outcome: 'blocked', blockedBy: verdict.blockedBy ?? 'rule' };
  }
  return create(tx, candidate, verdict);
}

async function create(
  tx: TransactionSql,
  candidate: RegistrationCandidate,
  verdict: HardwareVerdict,
): Promise<RegistrationOutcome> {
  const [userId, deviceId, grantId] = [newId(), newId(), newId()];
  const hardwareId = verdict.hardwareId ?? newId();
  const { device, publicKey } = candidate;
  await tx`
    with owner as (insert into users (id) values (${userId}))
    insert into users_credits (user_id) values (${userId})`;
  await tx`insert into devices (id, user_id, hardware_id, name, os, app_version)
    values (${deviceId}, ${userId}, ${hardwareId}, ${device.name}, ${device.os}, ${device.appVersion})`;
  await tx`insert into device_keys (public_key, user_id, device_id) values (${publicKey}, ${userId}, ${deviceId})`;
  await storeFingerprints(tx, { userId, deviceId, hardwareId }, candidate.fingerprints);
  const strongest = verdict.verdict === 'collision' ? 'collision' : 'weak_match';
  if (verdict.matches.length > 0) {
    const names = verdict.matches.map(({ component }) => component);
    await tx`insert into fingerprint_collisions (id, user_id, device_id, hardware_id, components, outcome)
      values (${newId()}, ${userId}, ${deviceId}, ${hardwareId}, ${names}, ${strongest})`;
  }
  await tx`insert into auth_events (id, user_id, device_id, kind, detail)
    values (${newId()}, ${userId}, ${deviceId}, 'registered', ${tx.json({ verdict: verdict.verdict })})`;
  await tx`insert into credit_grants (id, user_id, kind, hardware_id, ordinal, amount, granted_by, reason)
    values (${grantId}, ${userId}, 'registration', ${hardwareId}, ${verdict.grantOrdinal ?? 1}, ${verdict.creditsOffer},
      'vello', 'Registration of a device')`;
  const moved = await moveCredits(tx, {
    userId,
    delta: verdict.creditsOffer,
    kind: 'grant',
    idempotencyKey: 'registration',
    grantId,
  });
  await insertFamily(tx, { userId, deviceId, appVersion: device.appVersion }, candidate.family);
  const { balance } = moved;
  const granted = verdict.creditsOffer;
  return { outcome: 'created', userId, deviceId, granted, balance, suspended: balance <= 0, superseded: [] };
}

/** The same key again: fresh tokens in place of its older ones and what is new about the machine, no credits. */
async function registerAgain(tx: TransactionSql, candidate: RegistrationCandidate): Promise<RegistrationOutcome> {
  const [row] = await tx<
    { user_id: string; id: string; hardware_id: string; revoked: boolean; balance: number; suspended: boolean }[]
  >`
    select d.user_id, d.id, d.hardware_id, d.revoked_at is not null or k.revoked_at is not null as revoked,
      c.balance, c.suspended_at is not null as suspended
    from device_keys k join devices d on d.id = k.device_id join users_credits c on c.user_id = d.user_id
    where k.public_key = ${candidate.publicKey}`;
  if (row === undefined || row.revoked) return { outcome: 'revoked' };
  const owner = { userId: row.user_id, deviceId: row.id, hardwareId: row.hardware_id };
  const { device } = candidate;
  await tx`update devices set os = ${device.os}, app_version = ${device.appVersion}, last_seen_at = now() where id = ${row.id}`;
  await storeFingerprints(tx, owner, candidate.fingerprints);
  const superseded = await endFamiliesOfDevice(tx, row.id, 'superseded');
  await insertFamily(tx, { ...owner, appVersion: device.appVersion }, candidate.family);
  const { balance, suspended } = row;
  const { userId, deviceId } = owner;
  return { outcome: 'existing', userId, deviceId, granted: 0, balance, suspended, superseded };
}

/**
 * Stores the newest pepper's hashes beside the former ones: hardware that was seen stays known. Of a component that changes all the time
 * the first values are kept, which are the ones that earned something.
 */
async function storeFingerprints(
  tx: TransactionSql,
  owner: { readonly userId: string; readonly deviceId: string; readonly hardwareId: string },
  fingerprints: readonly HashedComponent[],
): Promise<void> {
  const { deviceId, userId, hardwareId } = owner;
  const newest = fingerprints.flatMap(({ component, hashes }) =>
    hashes.slice(0, 1).map((hash) => ({ component, ...hash })),
  );
  await Promise.all(
    newest.map(
      ({ component, pepperVersion, hash }) => tx`
        insert into device_fingerprints (device_id, user_id, hardware_id, component, pepper_version, hash)
        select ${deviceId}, ${userId}, ${hardwareId}, ${component}, ${pepperVersion}, ${hash}
        where (select count(*) from device_fingerprints f where f.device_id = ${deviceId} and f.component = ${component}
          and f.pepper_version = ${pepperVersion} and f.hash <> ${hash}) < ${VALUES_KEPT}
        on conflict (device_id, component, pepper_version, hash) do update set seen_at = now()`,
    ),
  );
}

/** Values of one component of one device. A machine that is repaired now and then needs a few. */
const VALUES_KEPT = 32;

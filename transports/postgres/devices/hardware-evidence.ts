/** Reads what is known of reported hardware. The components are looked up at once, each by its own index probe. */
import type { Component, HashedComponent } from '../../../actors/devices/fingerprints.ts';
import { COMPONENTS } from '../../../actors/devices/fingerprints.ts';
import type { HardwareEvidence, HardwareGroup } from '../../../actors/devices/hardware-verdict.ts';
import type { TransactionSql } from '../connection/connect.ts';
import type { SystemSql } from '../connection/system.ts';

/** On a pool the look-ups run in parallel, in a transaction one after the other in one flight. */
export async function readHardwareEvidence(
  sql: SystemSql | TransactionSql,
  publicKey: Buffer,
  fingerprints: readonly HashedComponent[],
): Promise<HardwareEvidence> {
  const [own, matches, pairs] = await Promise.all([
    readOwn(sql, publicKey),
    Promise.all(fingerprints.map((fingerprint) => readMatches(sql, publicKey, fingerprint))),
    Promise.all(pairsOf(fingerprints).map((pair) => readPair(sql, publicKey, pair))),
  ]);
  const components = new Map<string, Component[]>();
  for (const { component, hardwareIds } of matches) {
    for (const id of hardwareIds) components.set(id, [...(components.get(id) ?? []), component]);
  }
  const histories = await readHistories(sql, [...components.keys()]);
  const groups = histories.map((history) => ({ ...history, components: components.get(history.hardwareId) ?? [] }));
  return { own, groups, pairs };
}

async function readOwn(sql: SystemSql | TransactionSql, publicKey: Buffer): Promise<HardwareEvidence['own']> {
  const [row] = await sql<{ hardware_id: string; blocked: boolean }[]>`
    select d.hardware_id, exists (select from device_blocks b
      where b.hardware_id = d.hardware_id and b.source = 'operator' and b.lifted_at is null) as blocked
    from device_keys k join devices d on d.id = k.device_id
    where k.public_key = ${publicKey}`;
  return row === undefined ? undefined : { hardwareId: row.hardware_id, blockedByOperator: row.blocked };
}

/**
 * Which hardware has this component under another key. A processor model is shared by thousands of machines, so a weak
 * component is probed for a few matches only; nothing is decided by which ones they are.
 */
async function readMatches(
  sql: SystemSql | TransactionSql,
  publicKey: Buffer,
  { component, hashes }: HashedComponent,
): Promise<{ readonly component: Component; readonly hardwareIds: readonly string[] }> {
  const most = COMPONENTS[component] === 'strong' ? MOST_PROBED : 2;
  const rows = await sql<{ hardware_id: string }[]>`
    select distinct hardware_id from (
      select f.hardware_id from device_fingerprints f
      where f.component = ${component} and f.hash in ${sql(hashes.map(({ hash }) => hash))}
        and not exists (select from device_keys k where k.device_id = f.device_id and k.public_key = ${publicKey})
      limit ${most}) probed`;
  return { component, hardwareIds: rows.map((row) => row.hardware_id) };
}

type Pair = readonly [HashedComponent, HashedComponent];

/** All pairs of strong components but those of `machine_id`, which says for itself whether it is the same. */
function pairsOf(fingerprints: readonly HashedComponent[]): readonly Pair[] {
  const strong = fingerprints.filter(
    ({ component }) => COMPONENTS[component] === 'strong' && component !== 'machine_id',
  );
  return strong.flatMap((one, index) => strong.slice(index + 1).map((other): Pair => [one, other]));
}

/** Counts no further than a decision could need. */
async function readPair(
  sql: SystemSql | TransactionSql,
  publicKey: Buffer,
  [one, other]: Pair,
): Promise<HardwareEvidence['pairs'][number]> {
  const [row] = await sql<{ machine_ids: number }[]>`
    select count(distinct hash) as machine_ids from (
      select m.hash from device_fingerprints a
      join device_fingerprints b on b.device_id = a.device_id and b.component = ${other.component}
        and b.hash in ${sql(other.hashes.map(({ hash }) => hash))}
      join device_fingerprints m on m.device_id = a.device_id and m.component = 'machine_id'
      where a.component = ${one.component} and a.hash in ${sql(one.hashes.map(({ hash }) => hash))}
        and not exists (select from device_keys k where k.device_id = a.device_id and k.public_key = ${publicKey})
      limit ${MOST_PROBED}) probed`;
  return { components: [one.component, other.component], machineIds: row?.machine_ids ?? 0 };
}

const MOST_PROBED = 50;

type History = Omit<HardwareGroup, 'components'>;

async function readHistories(
  sql: SystemSql | TransactionSql,
  hardwareIds: readonly string[],
): Promise<readonly History[]> {
  if (hardwareIds.length === 0) return [];
  const rows = await sql<{ id: string; accounts: number; grants: number; blocked: boolean }[]>`
    select h.id,
      (select count(distinct d.user_id) from devices d where d.hardware_id = h.id) as accounts,
      (select coalesce(max(g.ordinal), 0) from credit_grants g where g.hardware_id = h.id and g.kind = 'registration')::bigint as grants,
      exists (select from device_blocks b where b.hardware_id = h.id and b.source = 'operator' and b.lifted_at is null) as blocked
    from unnest(${sql.array([...hardwareIds], UUID)}) as h (id)`;
  return rows.map((row) => ({
    hardwareId: row.id,
    accounts: row.accounts,
    grants: row.grants,
    blockedByOperator: row.blocked,
  }));
}

/** Type oid of uuid[]'s elements. */
const UUID = 2950;

/** Refresh token families in PostgreSQL. Every step on a family holds its row, so that two refreshes of one family follow each other. */
import type {
  EndReason,
  NewFamily,
  PresentedToken,
  RotationDecision,
  TokenFamilies,
} from '../../../actors/identity/token-families.ts';
import { newId } from '../../../actors/identity/new-id.ts';
import type { TransactionSql } from '../connection/connect.ts';
import type { SystemSql } from '../connection/system.ts';

export function createTokenFamilies(sql: SystemSql): TokenFamilies {
  return {
    rotate: (tokenHash, decide) =>
      sql.begin(async (tx) => {
        const [row] = await tx<PresentedRow[]>`
          select t.id, t.family_id, t.expires_at, t.used_at, f.user_id, f.device_id, f.session_id,
            f.expires_at as family_expires_at, f.revoked_at is not null as family_revoked,
            d.revoked_at is not null as device_revoked, d.must_reauthenticate,
            exists (select from device_blocks b where b.hardware_id = d.hardware_id and b.source = 'operator'
              and b.lifted_at is null) as hardware_blocked,
            exists (select from users_credits c where c.user_id = f.user_id and c.suspended_at is not null) as credits_suspended,
            coalesce((select c.balance from users_credits c where c.user_id = f.user_id), 0) as balance
          from refresh_tokens t
          join refresh_token_families f on f.id = t.family_id
          join devices d on d.id = f.device_id
          where t.hash = ${tokenHash}
          for update of f`;
        if (row === undefined) return undefined;
        const token = toPresented(row, await readUse(tx, row.id));
        const decision = decide(token);
        await carryOut(tx, row, decision);
        return { token, decision };
      }),
    standing: async (familyId) => {
      const [row] = await sql<{ standing: 'open' | 'superseded' | 'ended' }[]>`
        select case when f.revoked_at is null then 'open' when s.end_reason = 'superseded' then 'superseded' else 'ended' end as standing
        from refresh_token_families f left join sessions s on s.id = f.session_id where f.id = ${familyId}`;
      return row?.standing ?? 'ended';
    },
    end: ({ familyId, userId }, reason) => sql.begin((tx) => endFamily(tx, { familyId, userId }, reason)),
  };
}

/** Opens a session and its family with a first unused token. */
export async function insertFamily(
  tx: TransactionSql,
  owner: { readonly userId: string; readonly deviceId: string; readonly appVersion: string },
  family: NewFamily,
): Promise<void> {
  const { userId, deviceId, appVersion } = owner;
  await tx`
    with session as (
      insert into sessions (id, user_id, device_id, app_version)
      values (${family.sessionId}, ${userId}, ${deviceId}, ${appVersion})
    ), family as (
      insert into refresh_token_families (id, user_id, session_id, device_id, expires_at)
      values (${family.familyId}, ${userId}, ${family.sessionId}, ${deviceId}, ${new Date(family.familyExpiresAtMs)})
    )
    insert into refresh_tokens (id, user_id, family_id, hash, expires_at)
    values (${family.tokenId}, ${userId}, ${family.familyId}, ${family.tokenHash}, ${new Date(family.tokenExpiresAtMs)})`;
}

/** Ends all open families of a device, and their sessions. Returns the families. */
export async function endFamiliesOfDevice(
  tx: TransactionSql,
  deviceId: string,
  reason: EndReason,
): Promise<readonly string[]> {
  const ended = await tx<{ id: string }[]>`
    with ended as (
      update sessions set ended_at = now(), end_reason = ${reason} where device_id = ${deviceId} and ended_at is null
    )
    update refresh_token_families set revoked_at = now() where device_id = ${deviceId} and revoked_at is null
    returning id`;
  return ended.map((family) => family.id);
}

interface PresentedRow {
  readonly id: string;
  readonly family_id: string;
  readonly user_id: string;
  readonly device_id: string;
  readonly session_id: string;
  readonly expires_at: Date;
  readonly family_expires_at: Date;
  readonly family_revoked: boolean;
  readonly device_revoked: boolean;
  readonly must_reauthenticate: boolean;
  readonly hardware_blocked: boolean;
  readonly credits_suspended: boolean;
  readonly balance: number;
}

interface Use {
  readonly used_at: Date | null;
  readonly successor_used: boolean;
}

/** Read after the family is held: the statement that took the lock saw the token as it was before it waited. */
async function readUse(tx: TransactionSql, tokenId: string): Promise<Use> {
  const [use] = await tx<Use[]>`
    select t.used_at, exists (select from refresh_tokens c where c.parent_id = t.id and c.used_at is not null) as successor_used
    from refresh_tokens t where t.id = ${tokenId}`;
  return use ?? { used_at: null, successor_used: false };
}

const toPresented = (row: PresentedRow, use: Use): PresentedToken => ({
  tokenId: row.id,
  familyId: row.family_id,
  userId: row.user_id,
  deviceId: row.device_id,
  expiresAtMs: row.expires_at.getTime(),
  familyExpiresAtMs: row.family_expires_at.getTime(),
  familyRevoked: row.family_revoked,
  usedAtMs: use.used_at?.getTime(),
  successorUsed: use.successor_used,
  deviceRevoked: row.device_revoked,
  mustReauthenticate: row.must_reauthenticate,
  hardwareBlocked: row.hardware_blocked,
  creditsSuspended: row.credits_suspended,
  balance: row.balance,
});

async function carryOut(tx: TransactionSql, row: PresentedRow, decision: RotationDecision): Promise<void> {
  if (decision.kind === 'rotate') {
    const { tokenId, hash, expiresAtMs } = decision.successor;
    await tx`
      with used as (update refresh_tokens set used_at = ${new Date(decision.atMs)} where id = ${row.id}),
        seen as (update sessions set last_seen_at = now() where id = ${row.session_id})
      insert into refresh_tokens (id, user_id, family_id, parent_id, hash, expires_at)
      values (${tokenId}, ${row.user_id}, ${row.family_id}, ${row.id}, ${hash}, ${new Date(expiresAtMs)})`;
  } else if (decision.kind === 'revoke') {
    await endFamily(tx, { familyId: row.family_id, userId: row.user_id }, 'refresh_reuse');
  }
}

async function endFamily(
  tx: TransactionSql,
  family: { readonly familyId: string; readonly userId: string },
  reason: EndReason,
): Promise<boolean> {
  const [ended] = await tx<{ session_id: string; device_id: string }[]>`
    update refresh_token_families set revoked_at = now()
    where id = ${family.familyId} and user_id = ${family.userId} and revoked_at is null
    returning session_id, device_id`;
  if (ended === undefined) return false;
  await tx`
    with ended as (update sessions set ended_at = now(), end_reason = ${reason} where id = ${ended.session_id} and ended_at is null)
    insert into auth_events (id, user_id, device_id, kind, detail)
    values (${newId()}, ${family.userId}, ${ended.device_id}, ${reason}, ${tx.json({ family: family.familyId })})`;
  return true;
}

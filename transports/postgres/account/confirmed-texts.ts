/** Records the text of a job as its device holds it: the job stops being an orphan, once, in one transaction. */
import type { ConfirmedTexts } from '../../../actors/account/confirmed-texts.ts';
import type { TenantDatabase } from '../connection/tenant.ts';

export function createConfirmedTexts(tenants: TenantDatabase): ConfirmedTexts {
  return {
    confirm: ({ userId, deviceId }, jobId, text) =>
      tenants.withTenant(userId, async (tx) => {
        // Locked, so that of two confirmations at once the second sees the first.
        const [job] = await tx<{ type: string; transcribed_at: Date | null }[]>`
          select type, transcribed_at from jobs where id = ${jobId} for update`;
        if (job === undefined) return { outcome: 'no_such_job' };
        if (job.type !== 'transcribe') return { outcome: 'takes_no_text' };
        if (job.transcribed_at !== null) {
          return { outcome: 'confirmed', confirmedAt: job.transcribed_at, duplicate: true };
        }
        await tx`insert into transcriptions (job_id, user_id, device_id, text, source)
          values (${jobId}, ${userId}, ${deviceId}, ${text}, 'device') on conflict (job_id) do nothing`;
        await tx`insert into job_events (job_id, user_id, kind) values (${jobId}, ${userId}, 'transcribed')
          on conflict (job_id, kind) do nothing`;
        const [ended] = await tx<[{ transcribed_at: Date }]>`
          update jobs set transcribed_at = now() where id = ${jobId} returning transcribed_at`;
        return { outcome: 'confirmed', confirmedAt: ended.transcribed_at, duplicate: false };
      }),
  };
}

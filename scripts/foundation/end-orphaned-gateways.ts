/** Waits for gateway processes whose Vello was killed: they finish what they have under way, in the folders that are about to be used again. */
import { endOrphan } from '../../transports/process/end-orphan.ts';
import { slotFolder, slotLock, usedSlots } from '../../transports/process/gateway-files.ts';
import { lockHolder } from '../../transports/process/process-lock.ts';
import { count } from '../count.ts';
import type { Progress } from '../progress.mjs';

/** Beyond its drain a process only stops its tree. */
const AFTER_DRAIN_MS = 5_000;

export async function endOrphanedGateways(gatewayFolder: string, drainMs: number, progress: Progress): Promise<void> {
  const orphans = usedSlots(gatewayFolder).flatMap((slot) => {
    const holder = lockHolder(slotLock(slotFolder(gatewayFolder, slot)));
    return holder === undefined ? [] : [holder.pid];
  });
  if (orphans.length === 0) return;
  progress.say(
    `  ! ${count(orphans.length, 'gateway process', 'gateway processes')} of a Vello that was killed: waiting for the end.`,
  );
  await Promise.all(orphans.map((pid) => endOrphan(pid, 'SIGTERM', drainMs + AFTER_DRAIN_MS)));
}

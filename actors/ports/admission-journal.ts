/** What the gateway has admitted and not ended, on disk: what a gateway that died owes an account of. */
import type { UsageEvent } from '../relay/usage-event.ts';

export interface AdmissionJournal {
  /** Must be called before anything else. Returns what an earlier process had admitted and not ended, each as its event would say. */
  open(): readonly UsageEvent[];
  /** The death of this process cannot take the note any more. @throws where the disk does not take it */
  note(admitted: readonly UsageEvent[], endedIds: readonly string[]): void;
  close(): void;
}

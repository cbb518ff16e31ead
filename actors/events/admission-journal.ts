/** What the gateway has admitted and not ended, on disk: what a gateway that died owes an account of. */
import type { UsageEvent } from './usage-event.ts';

export interface AdmissionJournal {
  /** Returns what an earlier process had admitted and not ended, each as its event would say. Where it throws, it may be tried again. */
  open(): readonly UsageEvent[];
  /** The death of this process cannot take the note any more. @throws where the disk does not take it: the next call makes up for it */
  note(admitted: readonly UsageEvent[], endedIds: readonly string[]): void;
  close(): void;
}

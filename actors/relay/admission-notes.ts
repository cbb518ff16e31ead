/**
 * Which requests have begun and not ended, noted so that a gateway that dies owes an account of them. What ended is struck out together with
 * the next admission, at no cost of its own: until then its event is in the spool, and tells that it has ended.
 */
import type { AdmissionJournal } from '../ports/admission-journal.ts';
import type { EventSpool } from '../ports/event-outlet.ts';
import type { Log } from '../ports/log.ts';
import type { UsageEvent } from './usage-event.ts';

export class AdmissionNotes {
  readonly #journal: AdmissionJournal;
  readonly #spool: EventSpool;
  readonly #log: Log;
  #admitted: UsageEvent[] = [];
  #endedIds: string[] = [];
  #isOpen = false;
  #isBad = false;

  constructor(journal: AdmissionJournal, spool: EventSpool, log: Log) {
    this.#journal = journal;
    this.#spool = spool;
    this.#log = log;
  }

  /** Something has to be written at the end of this turn. */
  get isDue(): boolean {
    return this.#admitted.length > 0 || !this.#isOpen;
  }

  admit(event: UsageEvent): void {
    this.#admitted.push(event);
  }

  /** Its event is durable. */
  end(eventId: string): void {
    this.#endedIds.push(eventId);
  }

  /** Writes down what there is; a disk that does not take it is reported once. Returns what an earlier process left, the first time. */
  write(): readonly UsageEvent[] {
    let lost: readonly UsageEvent[] = [];
    try {
      if (!this.#isOpen) lost = this.#open();
      this.#note();
      this.#isBad = false;
    } catch (error) {
      if (!this.#isBad) {
        this.#log.error('admissions cannot be noted: if this process dies they go unreported', { error });
      }
      this.#isBad = true;
    }
    return lost;
  }

  close(): void {
    this.#isOpen = false;
    this.#journal.close();
  }

  #open(): readonly UsageEvent[] {
    const left = this.#journal.open();
    this.#isOpen = true;
    const ended = this.#spool.holds(new Set(left.map(({ eventId }) => eventId)));
    this.#endedIds.push(...ended);
    const lost = left.filter(({ eventId }) => !ended.has(eventId));
    if (lost.length > 0) {
      this.#log.warn('requests of a gateway that died are reported as lost', { requests: lost.length });
    }
    return lost;
  }

  #note(): void {
    const notes = [this.#admitted, this.#endedIds] as const;
    this.#admitted = [];
    this.#endedIds = [];
    this.#journal.note(...notes);
  }
}

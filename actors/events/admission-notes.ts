/**
 * Which requests have begun and not ended, noted so that a gateway that dies owes an account of them. What ended is struck out together with
 * the next admission, at no cost of its own: until then its event is in the spool, and tells that it has ended.
 */
import { LIMITS } from '../../config/limits.ts';
import { IdTable } from '../bounds/id-table.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSpool } from './event-outlet.ts';
import type { Log } from '../ports/log.ts';
import type { AdmittedRequest, UsageEvent } from './usage-event.ts';

/** What the gateway has admitted and not ended, on disk: what a gateway that died owes an account of. */
export interface AdmissionJournal {
  /** Returns what an earlier process had admitted and not ended, each as its event would say. Where it throws, it may be tried again. */
  open(): readonly UsageEvent[];
  /** The death of this process cannot take the note any more. @throws where the disk does not take it: the next call makes up for it */
  note(admitted: readonly AdmittedRequest[], endedIds: readonly string[]): void;
  close(): void;
}

export interface AdmissionNotesOptions {
  readonly journal: AdmissionJournal;
  readonly spool: EventSpool;
  readonly clock: Clock;
  readonly log: Log;
}

export class AdmissionNotes {
  readonly #journal: AdmissionJournal;
  readonly #spool: EventSpool;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Not noted yet, by event id. */
  readonly #admitted = new IdTable<AdmittedRequest>();
  #endedIds: string[] = [];
  /** By an earlier process, and not yet told: the journal gives it once. */
  #left: UsageEvent[] = [];
  #isOpen = false;
  #openingTriedMs = -Infinity;
  /** Each once, until all is well again. */
  readonly #said = new Set<string>();

  constructor({ journal, spool, clock, log }: AdmissionNotesOptions) {
    this.#journal = journal;
    this.#spool = spool;
    this.#clock = clock;
    this.#log = log;
  }

  /** The journal is open, and what an earlier process left has been returned. */
  get isReady(): boolean {
    return this.#isOpen && this.#left.length === 0;
  }

  /** Something has to be written at the end of this turn. */
  get isDue(): boolean {
    return this.#isOpen ? this.#admitted.size > 0 || this.#left.length > 0 : this.#opensAgain;
  }

  get #opensAgain(): boolean {
    return this.#clock.monotonicMs() - this.#openingTriedMs >= LIMITS.events.retryMs;
  }

  admit(request: AdmittedRequest): void {
    this.#admitted.set(request.eventId, request);
  }

  /** Its event is durable. */
  end(eventId: string): void {
    // What was never noted needs no striking out: a journal that stays shut costs no memory for what has ended.
    if (!this.#admitted.delete(eventId)) this.#endedIds.push(eventId);
  }

  /** Writes down what there is; a disk that does not take it is reported once. Returns what an earlier process left, the first time. */
  write(): readonly UsageEvent[] {
    if (!this.#isOpen && this.#opensAgain) this.#open();
    if (!this.#isOpen) return [];
    const lost = this.#owed();
    try {
      this.#note();
      if (this.isReady) this.#said.clear();
    } catch (error) {
      this.#say('admissions cannot be noted: if this process dies they go unreported', error);
    }
    return lost;
  }

  close(): void {
    this.#isOpen = false;
    this.#openingTriedMs = -Infinity;
    this.#journal.close();
  }

  #open(): void {
    this.#openingTriedMs = this.#clock.monotonicMs();
    try {
      this.#left.push(...this.#journal.open());
      this.#isOpen = true;
    } catch (error) {
      this.#say('admissions cannot be noted: if this process dies they go unreported', error);
    }
  }

  /** Asks the spool, which alone knows which of them have ended; where it cannot be read they are owed still. */
  #owed(): readonly UsageEvent[] {
    if (this.#left.length === 0) return [];
    let ended: ReadonlySet<string>;
    try {
      ended = this.#spool.holds(new Set(this.#left.map(({ eventId }) => eventId)));
    } catch (error) {
      this.#say('what a gateway that died owes is reported once the spool can be read', error);
      return [];
    }
    const lost = this.#left.filter(({ eventId }) => !ended.has(eventId));
    this.#left = [];
    this.#endedIds.push(...ended);
    if (lost.length > 0) {
      this.#log.warn('requests of a gateway that died are reported as lost', { requests: lost.length });
    }
    return lost;
  }

  #note(): void {
    const notes = [this.#admitted.values(), this.#endedIds] as const;
    this.#admitted.clear();
    this.#endedIds = [];
    this.#journal.note(...notes);
  }

  #say(message: string, error: unknown): void {
    if (!this.#said.has(message)) this.#log.error(message, { error });
    this.#said.add(message);
  }
}

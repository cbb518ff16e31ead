/**
 * What a gateway keeps on disk: events that are not yet on their stream, and the requests under way. The gateways of one home are told
 * apart by slots, a folder each; what is left in the folder of one that runs no more goes to the next that starts.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AdmissionJournal } from '../../actors/events/admission-notes.ts';
import type { EventSpool } from '../../actors/events/event-outlet.ts';
import type { UsageEvent } from '../../actors/events/usage-event.ts';
import type { Log } from '../../actors/ports/log.ts';
import { createFileAdmissionJournal } from './file-admission-journal.ts';
import { createFileSpool } from './file-spool.ts';

const SPOOL = 'events.spool';
const JOURNAL = 'admissions';
const LOCK = 'vello.pid';

interface GatewayFiles {
  readonly spool: EventSpool;
  readonly journal: AdmissionJournal;
}

export const gatewayFiles = (folder: string, log: Log): GatewayFiles => ({
  spool: createFileSpool(join(folder, SPOOL), log),
  journal: createFileAdmissionJournal(join(folder, JOURNAL), log),
});

/** Names the process that has the slot. */
export const slotLock = (folder: string): string => join(folder, LOCK);

/** The folder of a slot, from 1 on. The first is where a gateway that is alone keeps its files. */
export const slotFolder = (gatewayFolder: string, slot: number): string =>
  slot === 1 ? gatewayFolder : join(gatewayFolder, String(slot));

/** The slots that have a folder. */
export function usedSlots(gatewayFolder: string): readonly number[] {
  if (!existsSync(gatewayFolder)) return [];
  const others = readdirSync(gatewayFolder).filter((name) => /^\d{1,4}$/.test(name) && Number(name) > 1);
  return [1, ...others.map(Number).sort((a, b) => a - b)];
}

/** Which slots are free is known to whoever starts the gateways, and to nobody else. */
export class GatewaySlots {
  readonly #folder: string;
  readonly #log: Log;
  readonly #taken = new Set<number>();

  constructor(gatewayFolder: string, log: Log) {
    this.#folder = gatewayFolder;
    this.#log = log;
  }

  /** The first that is free, with what is left in the others. */
  take(): number {
    let slot = 1;
    while (this.#taken.has(slot)) slot += 1;
    this.#taken.add(slot);
    const folder = slotFolder(this.#folder, slot);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const other of this.#free()) this.#adopt(slotFolder(this.#folder, other), folder);
    return slot;
  }

  release(slot: number): void {
    this.#taken.delete(slot);
  }

  /** Whether something waits in a folder for the next gateway that starts. */
  get isOwed(): boolean {
    return this.#free().some((slot) => {
      const folder = slotFolder(this.#folder, slot);
      try {
        return isWritten(folder) && reading(folder, this.#log, ({ spool }, lost) => spool.waiting + lost.length > 0);
      } catch (error) {
        this.#log.error('what a gateway left cannot be read', { folder, error });
        return false;
      }
    });
  }

  #free(): readonly number[] {
    return usedSlots(this.#folder).filter((slot) => !this.#taken.has(slot));
  }

  #adopt(from: string, to: string): void {
    try {
      const moved = moveGatewayFiles(from, to, this.#log);
      if (moved > 0) this.#log.info('what a gateway left was taken over', { from, to, moved });
    } catch (error) {
      this.#log.error('what a gateway left cannot be taken over, and stays where it is', { from, error });
    }
  }
}

const MOVED_AT_ONCE = 256;

/** How many events and requests were moved. Where the process dies in between some are in both, which is found out by their ids. */
function moveGatewayFiles(from: string, to: string, log: Log): number {
  if (!isWritten(from)) return 0;
  const moved = reading(from, log, (source, lost) =>
    reading(to, log, (target) => {
      target.journal.note(lost, []);
      const waiting = source.spool.waiting;
      while (source.spool.waiting > 0) {
        const before = source.spool.waiting;
        target.spool.append(source.spool.peek(MOVED_AT_ONCE));
        source.spool.drop();
        if (source.spool.waiting === before)
          throw new Error(`The spool says that ${before} events wait, and gives none.`);
      }
      return waiting + lost.length;
    }),
  );
  const damaged = `${SPOOL}.damaged`;
  if (existsSync(join(from, damaged))) {
    appendFileSync(join(to, damaged), readFileSync(join(from, damaged)), { mode: 0o600 });
  }
  for (const name of [SPOOL, `${SPOOL}.done`, damaged, JOURNAL, LOCK]) rmSync(join(from, name), { force: true });
  if (readdirSync(from).length === 0) rmdirSync(from);
  return moved;
}

const isWritten = (folder: string): boolean => [SPOOL, JOURNAL].some((name) => existsSync(join(folder, name)));

/** Opens both for `read`, which is given what was under way and has not ended. */
function reading<T>(folder: string, log: Log, read: (files: GatewayFiles, lost: readonly UsageEvent[]) => T): T {
  const files = gatewayFiles(folder, log);
  const { spool, journal } = files;
  try {
    spool.open();
    const left = journal.open();
    const ended = spool.holds(new Set(left.map(({ eventId }) => eventId)));
    return read(
      files,
      left.filter(({ eventId }) => !ended.has(eventId)),
    );
  } finally {
    spool.close();
    journal.close();
  }
}

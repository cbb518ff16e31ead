/** Owns the life of one program that Vello starts for itself: running while the actor is, gone when it is, and its death the actor's failure. */
import type { ActorDefinition } from '../kernel/actor.ts';

/** A long-lived program that Vello starts for itself, such as its own PostgreSQL. */
export interface Program {
  readonly pid: number;
  /** Resolves once, when the program has ended, with how it ended: `exit code 1`, `signal SIGKILL`. */
  readonly ended: Promise<string>;
  /** Whether it has not ended yet. */
  isRunning(): boolean;
  /** Asks for an orderly end, kills after `graceMs`; resolves when the program is gone. */
  stop(graceMs: number): Promise<void>;
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** The last lines the program wrote, for an error message. */
  lastWords(): string;
}

/** How the program ended without being asked to. */
interface ProgramEnded {
  readonly type: 'ended';
  readonly how: string;
}

/** What an orderly end may take: PostgreSQL writes a checkpoint, Redis its append-only file. */
export const PROGRAM_STOP_MS = 15_000;

/** `start` resolves once the program answers, and is called again for every incarnation. */
export function programActor(id: string, start: () => Promise<Program>): ActorDefinition<ProgramEnded> {
  return {
    type: 'program',
    async start(ctx) {
      const program = await start();
      void program.ended.then((how) => ctx.self.tell({ type: 'ended', how }));
      return {
        receive({ how }) {
          throw new Error(`${id} ended by itself (${how}): ${program.lastWords()}`);
        },
        stop: () => program.stop(PROGRAM_STOP_MS),
        ready: () => program.isRunning(),
        describe: () => ({ pid: program.pid }),
      };
    },
  };
}

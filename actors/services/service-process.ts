/** A long-lived program that Vello starts for itself, such as its own PostgreSQL. */

export interface ServiceProcess {
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

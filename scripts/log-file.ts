/** The log of a start, as a file: JSON lines for machines, while the terminal keeps the words for people. */
import { createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LogFile {
  readonly path: string;
  readonly write: (line: string) => void;
  /** The messages of the last warnings and errors, for whoever could not be started. */
  lastErrors(): string[];
  close(): void;
}

/** The previous run's log is kept beside it as `<file>.1`. */
export function openLogFile(path: string): LogFile {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path)) renameSync(path, `${path}.1`);
  const stream = createWriteStream(path, { mode: 0o600 });
  // A full disk must not end what runs; the lines are lost, and the disk's own alarm is louder.
  stream.on('error', () => undefined);
  const errors: string[] = [];
  return {
    path,
    write(line) {
      stream.write(line);
      if (!/"level":"(?:warn|error)"/.test(line)) return;
      errors.push(line);
      if (errors.length > 5) errors.shift();
    },
    lastErrors: () => errors.map(summarise),
    close: () => void stream.end(),
  };
}

function summarise(line: string): string {
  const { msg, actor, exit, error } = JSON.parse(line) as Record<string, unknown>;
  const parts = [msg, actor, exit, (error as { message?: unknown } | undefined)?.message];
  return `  ${parts.filter((part) => typeof part === 'string').join(': ')}`;
}

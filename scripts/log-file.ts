/** The log of a start, as a file: JSON lines for machines, while the terminal keeps the words for people. */
import { existsSync, renameSync } from 'node:fs';
import { AppendFile } from '../transports/process/append-file.ts';

export interface LogFile {
  readonly path: string;
  readonly write: (line: string) => void;
  /** The messages of the last warnings and errors, for whoever could not be started. */
  lastErrors(): string[];
  close(): void;
}

/** The previous run's log is kept beside it as `<file>.1`. `elsewhere` gets the warnings and errors that the disk does not take. */
export function openLogFile(
  path: string,
  elsewhere: (line: string) => void = (line) => void process.stderr.write(line),
): LogFile {
  let file: AppendFile | undefined;
  let isClosed = false;
  const errors: string[] = [];
  /** A full disk must not end what runs. It is tried again with every line. */
  const append = (line: string): boolean => {
    if (isClosed) return false;
    try {
      file ??= new AppendFile(path);
      file.append(line);
      return true;
    } catch {
      return false;
    }
  };
  if (existsSync(path)) renameSync(path, `${path}.1`);
  append('');
  return {
    path,
    write(line) {
      const isKept = append(line);
      if (!/"level":"(?:warn|error)"/.test(line)) return;
      // What was lost, and for whom, must stand somewhere.
      if (!isKept) elsewhere(line);
      errors.push(line);
      if (errors.length > 5) errors.shift();
    },
    lastErrors: () => errors.map(summarise),
    close: () => {
      isClosed = true;
      file?.close();
    },
  };
}

function summarise(line: string): string {
  const { msg, actor, exit, error } = JSON.parse(line) as Record<string, unknown>;
  const parts = [msg, actor, exit, (error as { message?: unknown } | undefined)?.message];
  return `  ${parts.filter((part) => typeof part === 'string').join(': ')}`;
}

/** Dead events as text for a terminal. What the gateway kept of the user's words is never shown. */
import { entryTimeMs } from '../../config/streams.ts';
import type { DeadEntry } from '../../transports/redis/streams/dead-stream.ts';
import { count } from '../count.ts';
import { textTable } from '../text-table.ts';

const when = (unixMs: number): string => new Date(unixMs).toISOString().slice(0, 19).replace('T', ' ');

/** `length` is that of the whole stream, of which `entries` are the newest. */
export function listEntries(entries: readonly DeadEntry[], length: number): string {
  if (entries.length === 0) return 'There is no dead event.';
  const rows = entries.map(({ id, fields }) => [
    id,
    when(entryTimeMs(id)),
    fields['type'] ?? '?',
    fields['error'] ?? '?',
    fields['attempt'] ?? '?',
    fields['event_id'] ?? '?',
  ]);
  const table = textTable(
    ['id', 'given up (UTC)', 'type', 'error', 'tries', 'event'],
    rows.map((row) => row.map(printable)),
  );
  const more =
    length > entries.length ? `\n… and ${length - entries.length} older. All of them: vello dlq list --json` : '';
  return `${table}${more}`;
}

export function describeEntry({ id, fields }: DeadEntry): string {
  const { failures, result, ...shown } = fields;
  const width = Math.max(...Object.keys(shown).map((name) => name.length));
  return [
    `${id}, given up ${when(entryTimeMs(id))} UTC`,
    ...Object.entries(shown).map(([name, value]) => `  ${printable(name).padEnd(width)}  ${printable(value)}`),
    ...(result === undefined || result === ''
      ? []
      : [`  ${'result'.padEnd(width)}  ${count(result.length, 'character')}, not shown`]),
    'Attempts:',
    ...attempts(failures),
  ].join('\n');
}

function attempts(failures: string | undefined): string[] {
  try {
    const all = JSON.parse(failures ?? '[]') as { attempt: number; at: number; error: string }[];
    return all.map(({ attempt, at, error }) => `  ${attempt}  ${when(at)} UTC  ${printable(error)}`);
  } catch {
    return ['  cannot be read'];
  }
}

/** A malformed event may hold anything, also what would move the cursor of a terminal. */
const printable = (text: string | undefined): string =>
  (text ?? '').replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?').slice(0, 200);

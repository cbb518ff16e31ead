/** How an operator names what has an id. */
import { UsageError } from '../command.ts';

/** In lower case, as the database writes it. @throws UsageError for what is no UUID */
export function readUuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase();
  throw new UsageError(text === '' ? 'An id is missing' : `'${text}' is not an id`);
}

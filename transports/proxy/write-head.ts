/** Writes status and headers of an answer, in the form that uWebSockets.js leaves to its callers. */
import { STATUS_CODES } from 'node:http';
import type { HttpResponse as UwsResponse } from 'uWebSockets.js';

/** Only inside `cork`, once per answer. */
export function writeHead(response: UwsResponse, status: number, headers: Readonly<Record<string, string>>): void {
  response.writeStatus(`${status} ${STATUS_CODES[status] ?? 'Status'}`);
  // A value with a line break would let its author write headers of his own.
  for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value.replace(/[\r\n\0]/g, ' '));
}

/** Answers an error over the native response, for handlers that have no `HttpReply`: the relay, the WebSocket upgrade. */
import { STATUS_CODES } from 'node:http';
import type { HttpResponse as UwsResponse } from 'uWebSockets.js';
import type { VelloError } from '../../config/errors.ts';
import { problemReply } from './problem.ts';
import { HEADER } from './request-id.ts';

/** The response must not be aborted. */
export function writeProblem(response: UwsResponse, error: VelloError, requestId: string, openai = false): void {
  const { status, headers, body } = problemReply(error, requestId, openai);
  response.cork(() => {
    response.writeStatus(`${status} ${STATUS_CODES[status] ?? 'Status'}`);
    response.writeHeader(HEADER, requestId);
    for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
    response.end(body);
  });
}

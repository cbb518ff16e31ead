/**
 * Refuses requests whose length could be read in two ways (RFC 9112 §6.1, §6.3). uWebSockets.js lets differing
 * `Content-Length` headers and `Transfer-Encoding: gzip, chunked` through, so every listener asks here before it acts.
 */
import type { HttpRequest as UwsRequest } from 'uWebSockets.js';
import { VelloError } from '../../config/errors.ts';

export interface Framing {
  /** Bytes announced by `Content-Length`; `undefined` for a chunked or absent body. */
  readonly contentLength: number | undefined;
  readonly chunked: boolean;
}

/** What uWebSockets.js enforces itself only where a head comes in more than one packet (`UWS_HTTP_MAX_HEADERS_SIZE`). */
const mostHeaderBytes = 16 * 1024;

/** @throws VelloError `BAD_REQUEST` for ambiguous or malformed framing, `HEADERS_TOO_LARGE` */
export function readFraming(request: UwsRequest): Framing {
  let length: string | undefined;
  let coding: string | undefined;
  let headerBytes = 0;
  request.forEach((name, value) => {
    headerBytes += name.length + value.length + 4;
    if (name === 'content-length') length = length === undefined ? value : 'repeated';
    else if (name === 'transfer-encoding') coding = coding === undefined ? value : 'repeated';
  });
  if (headerBytes > mostHeaderBytes) throw new VelloError('HEADERS_TOO_LARGE');
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || length !== undefined)) {
    throw new VelloError('BAD_REQUEST', 'Transfer-Encoding must be exactly "chunked", without Content-Length.');
  }
  if (length !== undefined && !/^\d{1,15}$/.test(length)) {
    throw new VelloError('BAD_REQUEST', 'Content-Length must be given once, in digits.');
  }
  return { contentLength: length === undefined ? undefined : Number(length), chunked: coding !== undefined };
}

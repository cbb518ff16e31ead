/** Reads what a desktop presents with its upgrade (contract §7), before the native request is gone. Checks form, not truth. */
import type { HttpRequest as UwsRequest } from 'uWebSockets.js';
import type { DesktopHandshake } from '../../actors/ports/device-auth.ts';
import { SUBPROTOCOLS, type Subprotocol } from '../../actors/sessions/desktop-protocol.ts';
import { VelloError } from '../../config/errors.ts';

export interface UpgradeRequest {
  readonly handshake: DesktopHandshake;
  readonly subprotocol: Subprotocol;
  /** What the native upgrade needs back. */
  readonly native: { readonly key: string; readonly protocol: string; readonly extensions: string };
}

/** @throws VelloError `AUTH_TOKEN_MISSING`, `AUTH_SIGNATURE_INVALID`, `BAD_REQUEST` */
export function readUpgradeRequest(request: UwsRequest): UpgradeRequest {
  const bearer = /^Bearer (\S+)$/i.exec(request.getHeader('authorization'))?.[1];
  const token = bearer ?? request.getQuery('token');
  if (token === undefined || token === '') throw new VelloError('AUTH_TOKEN_MISSING');
  const offered = request.getHeader('sec-websocket-protocol');
  const subprotocol = chooseSubprotocol(offered);
  return {
    handshake: {
      token,
      deviceId: required(request, 'x-vello-device'),
      timestamp: wholeNumber(request, 'x-vello-timestamp'),
      sequence: wholeNumber(request, 'x-vello-sequence'),
      signature: required(request, 'x-vello-signature'),
    },
    subprotocol,
    native: {
      key: request.getHeader('sec-websocket-key'),
      // A server that names a protocol nobody offered fails the client's handshake (RFC 6455 §4.1).
      protocol: offered === '' ? '' : subprotocol,
      extensions: request.getHeader('sec-websocket-extensions'),
    },
  };
}

function chooseSubprotocol(offered: string): Subprotocol {
  if (offered === '') return SUBPROTOCOLS[0];
  const names = offered.split(',').map((name) => name.trim());
  const chosen = SUBPROTOCOLS.find((known) => names.includes(known));
  if (chosen === undefined)
    throw new VelloError('BAD_REQUEST', `The subprotocols here are ${SUBPROTOCOLS.join(', ')}.`);
  return chosen;
}

function required(request: UwsRequest, name: string): string {
  const value = request.getHeader(name);
  if (value === '') throw new VelloError('AUTH_SIGNATURE_INVALID', `The header ${name} is missing.`);
  return value;
}

function wholeNumber(request: UwsRequest, name: string): number {
  const value = required(request, name);
  const parsed = Number(value);
  if (/^\d{1,16}$/.test(value) && Number.isSafeInteger(parsed)) return parsed;
  throw new VelloError('AUTH_SIGNATURE_INVALID', `The header ${name} must be a whole number.`);
}

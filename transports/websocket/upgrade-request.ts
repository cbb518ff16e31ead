/** Reads what a desktop presents with its upgrade (contract §7), before the native request is gone. Checks form, not truth. */
import type { DesktopHandshake } from '../../actors/sessions/desktop-auth.ts';
import { SUBPROTOCOLS, type Subprotocol } from '../../actors/sessions/desktop-protocol.ts';
import { VelloError } from '../../config/errors.ts';
import type { RequestHead } from '../http/server/request-head.ts';

export interface UpgradeRequest {
  readonly handshake: DesktopHandshake;
  readonly subprotocol: Subprotocol;
  /** What the upgrade names: the empty string where the client offered nothing (RFC 6455 §4.1: another would fail its handshake). */
  readonly protocol: string;
}

/** @throws VelloError `AUTH_TOKEN_MISSING`, `AUTH_SIGNATURE_INVALID`, `BAD_REQUEST` */
export function readUpgradeRequest(head: RequestHead): UpgradeRequest {
  const bearer = /^Bearer (\S+)$/i.exec(head.header('authorization'))?.[1];
  const token = bearer ?? head.query.get('token') ?? '';
  if (token === '') throw new VelloError('AUTH_TOKEN_MISSING');
  const offered = head.header('sec-websocket-protocol');
  const subprotocol = chooseSubprotocol(offered);
  return {
    handshake: {
      token,
      deviceId: required(head, 'x-vello-device'),
      timestamp: wholeNumber(head, 'x-vello-timestamp'),
      sequence: wholeNumber(head, 'x-vello-sequence'),
      signature: required(head, 'x-vello-signature'),
    },
    subprotocol,
    protocol: offered === '' ? '' : subprotocol,
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

function required(head: RequestHead, name: string): string {
  const value = head.header(name);
  if (value === '') throw new VelloError('AUTH_SIGNATURE_INVALID', `The header ${name} is missing.`);
  return value;
}

function wholeNumber(head: RequestHead, name: string): number {
  const value = required(head, name);
  const parsed = Number(value);
  if (/^\d{1,16}$/.test(value) && Number.isSafeInteger(parsed)) return parsed;
  throw new VelloError('AUTH_SIGNATURE_INVALID', `The header ${name} must be a whole number.`);
}

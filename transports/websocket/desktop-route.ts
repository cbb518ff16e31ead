/** What the OpenAPI document says of the desktop WebSocket: its upgrade is an HTTP request like any other, what follows is in docs/. */
import { Type } from '@sinclair/typebox';
import type { RouteDescription } from '../http/api/api-route.ts';
import { base64url, closed, described, UUID } from '../http/api/schemas.ts';
import { SUBPROTOCOLS } from '../../actors/sessions/desktop-protocol.ts';

export const DESKTOP_ROUTE: RouteDescription = {
  method: 'GET',
  path: '/ws/desktop',
  tag: 'Desktop WebSocket',
  summary: 'The live session of a desktop.',
  description:
    'Token and signature must both hold. Signed text: `vello-ws:v1`, device id, timestamp, sequence and the SHA-256 of the token in ' +
    'hex, joined by line feeds. A refusal is an HTTP answer before the upgrade. One device has one live session: the newest wins.',
  auth: 'access',
  query: closed({
    token: Type.Optional(
      Type.String({ description: 'The access token, where the client cannot send `Authorization`.' }),
    ),
  }),
  headers: closed({
    'X-Vello-Device': described(UUID, 'The device that signs.'),
    'X-Vello-Timestamp': Type.Integer({ description: 'Unix seconds by the device clock, at most two hours off.' }),
    'X-Vello-Sequence': Type.Integer({ description: 'Greater than in any signed request of the device before.' }),
    'X-Vello-Signature': base64url(64, 'Ed25519, over the signed text.'),
    'Sec-WebSocket-Protocol': Type.Optional(Type.Union(SUBPROTOCOLS.map((name) => Type.Literal(name)))),
  }),
  answers: { 101: { description: 'The WebSocket is open.' } },
  errors: [
    'AUTH_SIGNATURE_INVALID',
    'AUTH_CLOCK_SKEW',
    'AUTH_SEQUENCE_REPLAYED',
    'AUTH_REAUTHENTICATE',
    'AUTH_DEVICE_REVOKED',
    'SHUTTING_DOWN',
  ],
};

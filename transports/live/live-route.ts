/** What the api's description says of live transcription: its upgrade is an HTTP request like any other, what follows is in docs/. */
import { Type } from '@sinclair/typebox';
import { LIVE_CODECS, PCM_RATES } from '../../actors/live/live-protocol.ts';
import type { RouteDescription } from '../http/api/api-route.ts';
import { described, UUID } from '../http/api/schemas.ts';
import { LIVE_PATH } from './live-endpoint.ts';

const optional = (description: string) => Type.Optional(Type.String({ description }));

export const LIVE_ROUTE: RouteDescription = {
  method: 'GET',
  path: LIVE_PATH,
  tag: 'AI providers',
  summary: 'Transcribe a microphone, live.',
  description:
    'A WebSocket: audio frames go up, partial and final texts come down. A refusal is an HTTP answer before the upgrade. With `live` a desktop ' +
    'that lost its socket goes on with its transcription. Leaves one usage event when it ends, which is charged by the audio that was sent on.',
  auth: 'access',
  servedBy: ['gateway'],
  query: Type.Object({
    format: Type.Optional(Type.Union(LIVE_CODECS.map((name) => Type.Literal(name)))),
    rate: Type.Optional(Type.Union(PCM_RATES.map((rate) => Type.Literal(rate)))),
    model: optional('As the provider names it.'),
    language: optional('ISO 639-1.'),
    live: Type.Optional(described(UUID, 'A transcription that is under way: nothing else has to be said.')),
    seq: Type.Optional(Type.Integer({ description: 'The last final text that the desktop has of it.' })),
    token: optional('The access token, where the client cannot send `Authorization`.'),
    session: Type.Optional(described(UUID, 'The session, where the client cannot send `X-Session-Id`.')),
  }),
  headers: Type.Object({
    'X-Session-Id': Type.Optional(described(UUID, 'Session of the desktop, which its jobs are listed by.')),
  }),
  answers: { 101: { description: 'The WebSocket is open.' } },
  errors: [
    'BAD_REQUEST',
    'AUTH_TOKEN_MISSING',
    'AUTH_TOKEN_UNKNOWN',
    'CREDITS_EXHAUSTED',
    'LIVE_UNKNOWN',
    'UPGRADE_REQUIRED',
    'RATE_LIMITED',
    'UNAVAILABLE',
    'SHUTTING_DOWN',
  ],
};

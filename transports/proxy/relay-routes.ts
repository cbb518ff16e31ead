/** What the gateway serves (contract §4): where each route leads, what it takes and how it is metered. `described-routes.ts` says the same to people. */
import type { RelayRoute } from './relay-request.ts';

type Place = Pick<RelayRoute, 'pattern' | 'upstreamPath' | 'needsSession'>;

/** For clients made for OpenAI: the same at the provider. A session is made where they bring none. */
const same = (path: string): Place => ({ pattern: path, upstreamPath: path, needsSession: false });

const TRANSCRIPTION = {
  method: 'POST',
  type: 'transcribe',
  body: 'multipart',
  answer: 'transcript',
  reportsEvent: true,
} as const;
const CHAT = { method: 'POST', type: 'process', body: 'json', answer: 'words', reportsEvent: true } as const;
/** Nothing of what it answers is counted: the request is the measure of what the provider gives no account of. */
const OTHER = { ...CHAT, answer: 'other' } as const;
const IMAGES = { ...CHAT, answer: 'images' } as const;
const LIST = { method: 'GET', type: 'process', body: 'none', answer: 'other', reportsEvent: false } as const;

export const RELAY_ROUTES: readonly RelayRoute[] = [
  { ...TRANSCRIPTION, pattern: '/vello/transcribe', upstreamPath: '/v1/audio/transcriptions', needsSession: true },
  { ...CHAT, body: 'prompt', pattern: '/vello/process', upstreamPath: '/v1/chat/completions', needsSession: true },
  { ...TRANSCRIPTION, ...same('/v1/audio/transcriptions') },
  { ...TRANSCRIPTION, ...same('/v1/audio/translations') },
  { ...CHAT, ...same('/v1/chat/completions') },
  // In the background it would be made, and billed to us, after its answer has been counted.
  { ...CHAT, ...same('/v1/responses'), forbidden: 'background' },
  { ...OTHER, ...same('/v1/embeddings') },
  { ...OTHER, ...same('/v1/audio/speech') },
  { ...IMAGES, ...same('/v1/images/generations') },
  { ...IMAGES, ...same('/v1/images/edits'), body: 'multipart' },
  { ...IMAGES, ...same('/v1/images/variations'), body: 'multipart' },
  { ...LIST, ...same('/v1/models') },
  { ...LIST, pattern: '/v1/models/:id', upstreamPath: '/v1/models/', needsSession: false },
];

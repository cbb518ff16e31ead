/** What the api's description says of the routes that the gateway serves, and of those that our own inference role serves in the same shape. */
import { Type, type TObject } from '@sinclair/typebox';
import type { ErrorCode } from '../../config/errors.ts';
import type { RouteDescription } from '../http/api/api-route.ts';
import { described, UUID } from '../http/api/schemas.ts';

const open = (properties: Parameters<typeof Type.Object>[0], description: string): TObject =>
  Type.Object(properties, { description, additionalProperties: true });

const MODEL = Type.String({ description: 'As the provider names it.', examples: ['moonshine-tiny'] });
const STREAM = Type.Optional(Type.Boolean({ description: 'Server-sent events, as they come.' }));

const TRANSCRIPTION_BODY = open(
  {
    file: Type.String({ format: 'binary', description: 'The recording. It is sent on while it arrives.' }),
    model: MODEL,
    language: Type.Optional(Type.String({ description: 'ISO 639-1.', examples: ['en'] })),
    response_format: Type.Optional(
      Type.Union(['json', 'text', 'verbose_json', 'srt', 'vtt'].map((format) => Type.Literal(format))),
    ),
    stream: STREAM,
  },
  'Fields of a form, passed on as they are.',
);

const CHAT_BODY = open(
  {
    model: MODEL,
    messages: Type.Array(
      Type.Object(
        { role: Type.String({ examples: ['user'] }), content: Type.String() },
        { additionalProperties: true },
      ),
    ),
    stream: STREAM,
  },
  'Passed on as it is.',
);

const PROMPT_BODY = open(
  {
    prompt: Type.String({ description: 'Name of a system prompt (`vello prompts list`).', examples: ['tidy-up'] }),
    variables: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        description: 'A value for each variable that the prompt mentions, and for no other.',
        examples: [{ language: 'en' }],
      }),
    ),
    messages: Type.Array(
      Type.Object(
        { role: Type.String({ examples: ['user'] }), content: Type.String() },
        { additionalProperties: true },
      ),
      { description: "The client's own. Those of the roles `system` and `developer` are the prompt's." },
    ),
    model: Type.Optional(MODEL),
    stream: STREAM,
  },
  'What else a chat completion takes is passed on as it is.',
);

const session = (isRequired: boolean): TObject => {
  const id = described(UUID, 'Session of the desktop, which its jobs are listed by.');
  return Type.Object({ 'X-Session-Id': isRequired ? id : Type.Optional(id) });
};

const ADMISSION: readonly ErrorCode[] = [
  'BAD_REQUEST',
  'AUTH_TOKEN_MISSING',
  'AUTH_TOKEN_UNKNOWN',
  'CREDITS_EXHAUSTED',
  'RATE_LIMITED',
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_FAILED',
  'UPSTREAM_TIMEOUT',
  'UNAVAILABLE',
  'SHUTTING_DOWN',
];
const UPLOAD: readonly ErrorCode[] = [...ADMISSION, 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE', 'UPLOAD_TOO_SLOW'];
const AUDIO: readonly ErrorCode[] = [
  'AUDIO_NOT_RECOGNISED',
  'AUDIO_TOO_SHORT',
  'AUDIO_TOO_LONG',
  'AUDIO_WITHOUT_SPEECH',
  'AUDIO_NOT_UNDERSTOOD',
  'MODEL_NOT_FOUND',
];
const ANSWER = { 200: { description: "The provider's answer, passed on as it arrives." } };
const TAG = 'AI providers';
const CHARGED =
  'Leaves one usage event, which becomes one job and is charged by what passed and what the provider counted.';

export const PROVIDER_ROUTES: readonly RouteDescription[] = [
  {
    method: 'POST',
    path: '/vello/transcribe',
    tag: TAG,
    summary: 'Transcribe a recording.',
    description: `${CHARGED} Failures are problem documents.`,
    auth: 'access',
    servedBy: ['gateway'],
    headers: session(true),
    body: TRANSCRIPTION_BODY,
    bodyType: 'multipart/form-data',
    answers: ANSWER,
    errors: [...UPLOAD, ...AUDIO],
  },
  {
    method: 'POST',
    path: '/vello/process',
    tag: TAG,
    summary: 'Complete a chat under a named system prompt.',
    description: `${CHARGED} Which text it was is said by X-Vello-Prompt, \`name@version\`. Failures are problem documents.`,
    auth: 'access',
    servedBy: ['gateway'],
    headers: session(true),
    body: PROMPT_BODY,
    answers: ANSWER,
    errors: [...UPLOAD, 'PROMPT_NOT_FOUND', 'INVALID_FIELDS'],
  },
  {
    method: 'POST',
    path: '/v1/audio/transcriptions',
    tag: TAG,
    summary: 'Transcribe a recording, for clients made for OpenAI.',
    description: `${CHARGED} At the inference role, which charges nothing, its own key opens it.`,
    auth: 'access',
    servedBy: ['gateway', 'inference'],
    headers: session(false),
    body: TRANSCRIPTION_BODY,
    bodyType: 'multipart/form-data',
    answers: ANSWER,
    errors: [...UPLOAD, ...AUDIO, 'INFERENCE_KEY_INVALID', 'ENGINE_BUSY', 'ENGINE_FAILED'],
  },
  {
    method: 'POST',
    path: '/v1/chat/completions',
    tag: TAG,
    summary: 'Complete a chat, for clients made for OpenAI.',
    description: CHARGED,
    auth: 'access',
    servedBy: ['gateway'],
    headers: session(false),
    body: CHAT_BODY,
    answers: ANSWER,
    errors: UPLOAD,
  },
  {
    method: 'GET',
    path: '/v1/models',
    tag: TAG,
    summary: 'The models that the provider offers.',
    description: 'Costs nothing and leaves no event.',
    auth: 'access',
    servedBy: ['gateway', 'inference'],
    answers: ANSWER,
    errors: [...ADMISSION, 'INFERENCE_KEY_INVALID'],
  },
];

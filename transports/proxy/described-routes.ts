/** What the api's description says of the routes that the gateway serves, and of those that our own inference role serves in the same shape. */
import { Type, type TObject } from '@sinclair/typebox';
import type { ErrorCode } from '../../config/errors.ts';
import type { RouteDescription } from '../http/api/api-route.ts';
import { described, UUID } from '../http/api/schemas.ts';

const open = (properties: Parameters<typeof Type.Object>[0], description: string): TObject =>
  Type.Object(properties, { description, additionalProperties: true });

const model = (example: string) => Type.String({ description: 'As the provider names it.', examples: [example] });
const STREAM = Type.Optional(Type.Boolean({ description: 'Server-sent events, as they come.' }));

const TRANSCRIPTION_BODY = open(
  {
    file: Type.String({ format: 'binary', description: 'The recording. It is sent on while it arrives.' }),
    model: model('moonshine-tiny'),
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
    model: model('gpt-4o-mini'),
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
    model: Type.Optional(model('gpt-4o-mini')),
    stream: STREAM,
  },
  'What else a chat completion takes is passed on as it is.',
);

const IMAGE_FIELDS = {
  model: Type.Optional(model('gpt-image-1')),
  prompt: Type.Optional(Type.String({ examples: ['a red fox'] })),
  n: Type.Optional(Type.Integer({ minimum: 1, maximum: 10, description: 'How many.' })),
  size: Type.Optional(Type.String({ examples: ['1024x1024'] })),
};
const IMAGE_BODY = open({ ...IMAGE_FIELDS, stream: STREAM }, 'Passed on as it is.');
const IMAGE_FORM = open(
  { ...IMAGE_FIELDS, image: Type.String({ format: 'binary', description: 'Sent on while it arrives.' }) },
  'Fields of a form, passed on as they are.',
);
const TEXT = Type.String({ examples: ['Good morning.'] });
const RESPONSE_BODY = open({ model: model('gpt-4o-mini'), input: TEXT, stream: STREAM }, 'Passed on as it is.');
const EMBEDDING_BODY = open({ model: model('text-embedding-3-small'), input: TEXT }, 'Passed on as it is.');
const SPEECH_BODY = open(
  { model: model('gpt-4o-mini-tts'), input: TEXT, voice: Type.String({ examples: ['alloy'] }) },
  'Passed on as it is.',
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
const CHARGED_IMAGES = `${CHARGED} Where the provider counts nothing, an image is a thousand tokens.`;

/** A route of OpenAI's own, passed on. */
function forOpenAi(path: string, summary: string, body: TObject): RouteDescription {
  return {
    method: 'POST',
    path,
    tag: TAG,
    summary: `${summary}, for clients made for OpenAI.`,
    description: CHARGED,
    auth: 'access',
    servedBy: ['gateway'],
    headers: session(false),
    body,
    answers: ANSWER,
    errors: UPLOAD,
  };
}

const MODELS = {
  method: 'GET',
  tag: TAG,
  description: 'Costs nothing and leaves no event.',
  auth: 'access',
  answers: ANSWER,
} as const;

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
    ...forOpenAi('/v1/audio/transcriptions', 'Transcribe a recording', TRANSCRIPTION_BODY),
    description: `${CHARGED} At the inference role, which charges nothing, its own key opens it.`,
    servedBy: ['gateway', 'inference'],
    bodyType: 'multipart/form-data',
    errors: [...UPLOAD, ...AUDIO, 'INFERENCE_KEY_INVALID', 'ENGINE_BUSY', 'ENGINE_FAILED'],
  },
  {
    ...forOpenAi('/v1/audio/translations', 'Transcribe a recording into English', TRANSCRIPTION_BODY),
    bodyType: 'multipart/form-data',
    errors: [...UPLOAD, ...AUDIO],
  },
  forOpenAi('/v1/chat/completions', 'Complete a chat', CHAT_BODY),
  {
    ...forOpenAi('/v1/responses', 'Make a response', RESPONSE_BODY),
    description: `${CHARGED} \`background\` is refused: what it makes could be neither fetched here nor counted.`,
  },
  forOpenAi('/v1/embeddings', 'Turn texts into vectors', EMBEDDING_BODY),
  {
    ...forOpenAi('/v1/audio/speech', 'Speak a text', SPEECH_BODY),
    description: `${CHARGED} Where the provider counts nothing, that is the request's text.`,
  },
  { ...forOpenAi('/v1/images/generations', 'Make images', IMAGE_BODY), description: CHARGED_IMAGES },
  {
    ...forOpenAi('/v1/images/edits', 'Change images', IMAGE_FORM),
    description: CHARGED_IMAGES,
    bodyType: 'multipart/form-data',
  },
  {
    ...forOpenAi('/v1/images/variations', 'Make variations of an image', IMAGE_FORM),
    description: CHARGED_IMAGES,
    bodyType: 'multipart/form-data',
  },
  {
    ...MODELS,
    path: '/v1/models',
    summary: 'The models that the provider offers.',
    servedBy: ['gateway', 'inference'],
    errors: [...ADMISSION, 'INFERENCE_KEY_INVALID'],
  },
  {
    ...MODELS,
    path: '/v1/models/{id}',
    summary: 'One model of the provider.',
    servedBy: ['gateway'],
    params: Type.Object({ id: Type.String({ description: 'Percent-encoded where it has a slash.' }) }),
    errors: [...ADMISSION, 'NOT_FOUND'],
  },
];

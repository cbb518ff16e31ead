/** `POST /v1/audio/transcriptions` and `GET /v1/models[/{id}]` in OpenAI's shape (its API reference, "Audio" and "Models"), on our own engine. */
import type { RecognitionPoolOptions, RecognitionPool } from '../../../actors/inference/recognition-pool.ts';
import { LIMITS } from '../../../config/limits.ts';
import type { ByteBudget } from '../server/byte-budget.ts';
import type { Handler, HttpReply, HttpRequest, HttpServer } from '../server/server.ts';
import { callerNamed } from './caller-named.ts';
import { requireKey } from './inference-key.ts';
import { createDeltaQueue } from './delta-queue.ts';
import {
  jsonTranscription,
  srtTranscription,
  textTranscription,
  verboseTranscription,
  vttTranscription,
} from './transcription-formats.ts';
import { checkModel, parseTranscriptionRequest, SERVED_MODELS } from './transcription-request.ts';

export interface TranscriptionRouteParts {
  readonly pool: Pick<RecognitionPool, 'recognise'>;
  /** ISO 639 codes; the first is meant where none is named. */
  readonly languages: readonly string[];
  /** Absent: every caller is served. */
  readonly key: string | undefined;
  /** Unix milliseconds since when the models are served: their `created`. */
  readonly startedMs: number;
  /** What the bodies that are held at once share. */
  readonly bodies: ByteBudget;
}

/** Errors by code: what `parseTranscriptionRequest` and the recognition throw, and `INFERENCE_KEY_INVALID`. */
export function addTranscriptionRoutes(server: HttpServer, parts: TranscriptionRouteParts): void {
  const guarded =
    (handler: Handler): Handler =>
    (request) => {
      requireKey(request.header('authorization'), parts.key);
      return handler(request);
    };
  const limits = {
    maxBytes: LIMITS.recognition.bodyBytes,
    deadlineMs: LIMITS.recognition.uploadMs,
    budget: parts.bodies,
  };
  server.route(
    'POST',
    '/v1/audio/transcriptions',
    guarded((request) => transcribe(request, parts)),
    limits,
  );
  server.route(
    'GET',
    '/v1/models',
    guarded(() => ({ status: 200, body: modelList(parts.startedMs) })),
  );
  server.route(
    'GET',
    '/v1/models/:id',
    guarded(({ params: { id } }) => {
      checkModel(id);
      return { status: 200, body: modelEntry(String(id), parts.startedMs) };
    }),
  );
}

async function transcribe(request: HttpRequest, parts: TranscriptionRouteParts): Promise<HttpReply> {
  const body = await request.readBody();
  const type = request.header('content-type');
  const { file, format, stream, language } = parseTranscriptionRequest(body, type, parts.languages);
  const options = { signal: request.signal, caller: callerNamed(request), language };
  if (stream) {
    const headers = { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' };
    return { status: 200, headers, stream: events(file, options, parts) };
  }
  const recognition = await parts.pool.recognise(file, options);
  switch (format) {
    case 'text':
      return plain('text/plain', textTranscription(recognition));
    case 'srt':
      return plain('text/plain', srtTranscription(recognition));
    case 'vtt':
      return plain('text/vtt', vttTranscription(recognition));
    case 'verbose_json':
      return { status: 200, body: verboseTranscription(recognition, language) };
    case 'json':
      return { status: 200, body: jsonTranscription(recognition) };
  }
}

const plain = (type: string, body: string): HttpReply => ({
  status: 200,
  headers: { 'Content-Type': `${type}; charset=utf-8` },
  body,
});

/**
 * Server-sent events as OpenAI sends them: no event names and, for transcriptions, no closing `[DONE]`.
 * A failure before the first word is an ordinary error answer; later it is an `error` event, and the stream breaks off.
 */
async function* events(
  file: Uint8Array,
  options: RecognitionPoolOptions,
  parts: TranscriptionRouteParts,
): AsyncGenerator<string> {
  const queue = createDeltaQueue();
  let hasSpoken = false;
  const recognition = parts.pool.recognise(file, { ...options, onDelta: queue.push });
  recognition.then(queue.end, queue.fail);
  try {
    for await (const delta of queue) {
      hasSpoken = true;
      yield event({ type: 'transcript.text.delta', delta });
    }
  } catch (error) {
    if (hasSpoken)
      yield event({ error: { message: 'The recognition failed.', type: 'server_error', code: 'ENGINE_FAILED' } });
    throw error;
  }
  yield event({ type: 'transcript.text.done', ...jsonTranscription(await recognition) });
}

const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;

const modelList = (startedMs: number): object => ({
  object: 'list',
  data: SERVED_MODELS.map((id) => modelEntry(id, startedMs)),
});

const modelEntry = (id: string, startedMs: number): object => ({
  id,
  object: 'model',
  created: Math.floor(startedMs / 1000),
  owned_by: 'vello',
});

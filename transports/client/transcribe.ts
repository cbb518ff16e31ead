/** One transcription through the gateway: the recording streams up while its text streams down. Says nothing of tokens' origin. */
import { randomUUID } from 'node:crypto';
import {
  errorFromAnswer,
  errorFromEvent,
  foreignAnswer,
  isFromServer,
  localError,
  type ClientError,
} from './client-error.ts';
import { parseEventStream } from '../../actors/metering/event-stream-parser.ts';
import { createMultipartUpload, type MultipartUpload } from './multipart-upload.ts';

export interface TranscribeOptions {
  /** As the gateway's configuration names it. */
  readonly model: string;
  /** ISO 639-1. */
  readonly language?: string;
  /** Earlier text that helps the model. */
  readonly prompt?: string;
  /** Text as it is recognised (default), or all at once. */
  readonly stream?: boolean;
  /** Groups the jobs of one recording session; a UUID, made where absent. */
  readonly sessionId?: string;
  /** Name that the provider sees; its ending tells the audio format. Default: the path's own, or `audio`. */
  readonly fileName?: string;
  readonly signal?: AbortSignal;
}

/**
 * Text pieces in order; joined they are the transcript. Iterable once; leaving the loop early cancels the call.
 * Iterating throws `ClientError`: the server's code, `NETWORK`, `PROTOCOL` (the stream ended early) or `CLOSED`.
 */
export interface Transcription extends AsyncIterable<string> {
  /** `X-Session-Id` of the call; `job_created` carries it. */
  readonly sessionId: string;
  /** The whole transcript, for who does not want the pieces. */
  text(): Promise<string>;
}

export interface TranscribeDeps {
  readonly gatewayUrl: string;
  token(): Promise<string>;
  /** Another token, after the gateway refused this one. */
  replace(refused: string): Promise<string>;
  readonly signal: AbortSignal;
}

export function transcribe(
  deps: TranscribeDeps,
  source: string | Uint8Array,
  options: TranscribeOptions,
): Transcription {
  const sessionId = options.sessionId ?? randomUUID();
  const iterate = async function* () {
    const leave = new AbortController();
    const signals = [deps.signal, leave.signal, ...(options.signal === undefined ? [] : [options.signal])];
    const signal = AbortSignal.any(signals);
    try {
      const upload = await createMultipartUpload(formFields(options), source, options.fileName);
      yield* readText(await send(deps, upload, sessionId, signal));
    } catch (error) {
      if (signal.aborted) throw localError('CLOSED', 'The transcription was cancelled.', error);
      throw error instanceof TypeError ? localError('NETWORK', 'The connection to the gateway broke.', error) : error;
    } finally {
      leave.abort();
    }
  };
  return {
    sessionId,
    [Symbol.asyncIterator]: iterate,
    text: async () => {
      let whole = '';
      for await (const piece of iterate()) whole += piece;
      return whole;
    },
  };
}

function formFields({ model, language, prompt, stream = true }: TranscribeOptions): Record<string, string> {
  return {
    model,
    response_format: 'json',
    ...(stream ? { stream: 'true' } : {}),
    ...(language === undefined ? {} : { language }),
    ...(prompt === undefined ? {} : { prompt }),
  };
}

async function send(
  deps: TranscribeDeps,
  upload: MultipartUpload,
  sessionId: string,
  signal: AbortSignal,
): Promise<Response> {
  const post = (token: string) =>
    fetch(`${deps.gatewayUrl}/vello/transcribe`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        Accept: 'text/event-stream, application/json',
        'Content-Type': upload.contentType,
        'Content-Length': String(upload.lengthBytes),
        'X-Session-Id': sessionId,
      },
      body: ReadableStream.from(upload.open()),
      duplex: 'half',
      signal,
      redirect: 'error',
    });
  const token = await deps.token();
  const response = await post(token);
  if (response.ok) return response;
  const refusal = await readRefusal(response);
  if (refusal.status !== 401) throw refusal;
  const second = await post(await deps.replace(token));
  if (second.ok) return second;
  throw await readRefusal(second);
}

const headerOf = (response: Response) => (name: string) => response.headers.get(name);

async function readRefusal(response: Response): Promise<ClientError> {
  return errorFromAnswer(response.status, headerOf(response), await response.text());
}

interface TranscriptEvent {
  readonly type?: string;
  readonly delta?: string;
  readonly text?: string;
  readonly error?: { readonly code?: string; readonly message?: string };
}

async function* readText(response: Response): AsyncGenerator<string> {
  const header = headerOf(response);
  if (!isFromServer(header)) throw foreignAnswer(response.status);
  if (header('content-type')?.startsWith('text/event-stream') !== true) {
    yield wholeText(await response.text(), response.status);
    return;
  }
  if (response.body === null) throw localError('PROTOCOL', 'The gateway answered without a body.');
  for await (const { data } of parseEventStream(response.body)) {
    if (data === '[DONE]') return;
    const event = readEvent(data);
    if (event.type === 'transcript.text.delta') yield event.delta ?? '';
    else if (event.type === 'transcript.text.done') return;
    else if (event.error !== undefined) throw errorFromEvent(header, data);
  }
  throw localError('PROTOCOL', 'The stream ended before the transcript was complete.');
}

function wholeText(body: string, status: number): string {
  let answer: { readonly text?: unknown } | null;
  try {
    answer = JSON.parse(body) as typeof answer;
  } catch (error) {
    throw foreignAnswer(status, error);
  }
  if (typeof answer?.text === 'string') return answer.text;
  throw localError('PROTOCOL', 'The gateway answered without a text.');
}

function readEvent(data: string): TranscriptEvent {
  try {
    return JSON.parse(data) as TranscriptEvent;
  } catch (error) {
    throw localError('PROTOCOL', 'The gateway sent an event that is not JSON.', error);
  }
}

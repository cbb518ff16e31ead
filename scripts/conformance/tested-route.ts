/** A route of the gateway with requests to it, made from the table of those that the gateway serves. */
import { RELAY_ROUTES } from '../../transports/proxy/relay-routes.ts';
import type { RelayRoute } from '../../transports/proxy/relay-request.ts';
import { TESTED_PROMPT } from '../peers/vello.ts';

export interface TestedRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly takesBody: boolean;
  /** A body is passed on while it comes. */
  readonly streams: boolean;
  /** What is read to its end for a client that left, once its recording was sent (contract §4). */
  readonly isTranscription: boolean;
  readonly lines: readonly string[];
  /** Its answers may come in a stream. */
  readonly answersInStream: boolean;
  /** A body of at least so many bytes. */
  bodyOf(bytes: number, asksForStream?: boolean): Buffer;
  /** Whether it is that body, as the provider should get it: JSON may have grown by blanks before its end, a named prompt stand before the rest. */
  isSame(received: Buffer, sent: Buffer): boolean;
}

const SESSION = 'X-Session-Id: 01939f5e-7f00-7000-8000-00000000abcd';

function testedRoute({ method, pattern, type, body }: RelayRoute): TestedRoute {
  const path = pattern.replace(/:\w+/g, 'some').replace('*', 'some');
  const lines = body === 'none' ? [SESSION] : [SESSION, body === 'multipart' ? FORM_TYPE : JSON_TYPE];
  const takesBody = body !== 'none';
  const streams = takesBody && body !== 'prompt';
  const facts = { isTranscription: type === 'transcribe', answersInStream: true };
  return { ...{ method, path, lines, takesBody, streams }, ...facts, ...bodiesOf(body) };
}

function bodiesOf(body: RelayRoute['body']): Pick<TestedRoute, 'bodyOf' | 'isSame'> {
  if (body === 'multipart') return { bodyOf: formOf, isSame: (received, sent) => received.equals(sent) };
  if (body === 'prompt')
    return { bodyOf: promptOf, isSame: (received, sent) => lastWords(received) === lastWords(sent) };
  return { bodyOf: jsonOf, isSame: (received, sent) => received.toString().replace(/ *\}$/, '}') === sent.toString() };
}

const JSON_TYPE = 'Content-Type: application/json';
/** Of a length that browsers choose; Node.js reads no short one. */
const BOUNDARY = '----conformance-of-the-gateway';
const FORM_TYPE = `Content-Type: multipart/form-data; boundary=${BOUNDARY}`;

const formOf = (bytes: number, asksForStream = false): Buffer =>
  Buffer.concat([
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nm-1\r\n`),
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="stream"\r\n\r\n${asksForStream}\r\n`),
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n`),
    Buffer.alloc(bytes, 'every byte\0\xff'),
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ]);

/** With what each kind of call needs. */
const jsonOf = (bytes: number, stream = false): Buffer =>
  jsonBytes({ model: 'm-1', stream, input: 'hello', messages: [{ role: 'user', content: 'x'.repeat(bytes) }] });

const promptOf = (bytes: number, stream = false): Buffer =>
  jsonBytes({ model: 'm-1', stream, prompt: TESTED_PROMPT, messages: [{ role: 'user', content: 'x'.repeat(bytes) }] });

const jsonBytes = (value: object): Buffer => Buffer.from(JSON.stringify(value));

function lastWords(body: Buffer): string | undefined {
  const { messages } = JSON.parse(body.toString()) as { readonly messages: readonly { readonly content: string }[] };
  return messages.at(-1)?.content;
}

export const OUR_ROUTES: readonly TestedRoute[] = RELAY_ROUTES.map(testedRoute);

/** What any proxy of an OpenAI-compatible provider is asked: one route of each kind, and streams of the one that all of them know to stream. */
export const PEERS_ROUTES: readonly TestedRoute[] = [
  '/v1/chat/completions',
  '/v1/audio/transcriptions',
  '/v1/models',
].flatMap((path) =>
  OUR_ROUTES.filter((route) => route.path === path).map((route) => ({
    ...route,
    answersInStream: path === '/v1/chat/completions',
  })),
);

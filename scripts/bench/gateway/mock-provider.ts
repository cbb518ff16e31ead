/** The provider of the gateway's benchmark: answers at once, so that what is measured is what stands before it. A process of its own; sends its port. */
import uWS from '#uws';
import { CHUNKS, SENT_MARK, sentNow, type AskedAnswer } from './prepared-requests.ts';

/** As many as OpenAI sends, or nearly. */
const HEADERS: readonly (readonly [string, string])[] = [
  ['openai-organization', 'bench'],
  ['openai-processing-ms', '412'],
  ['openai-version', '2020-10-01'],
  ['x-ratelimit-limit-requests', '10000'],
  ['x-ratelimit-remaining-requests', '9999'],
  ['x-ratelimit-reset-requests', '6ms'],
  ['x-request-id', 'req_0123456789abcdef0123456789abcdef'],
  ['cache-control', 'no-store'],
];
const KINDS: readonly AskedAnswer[] = ['whole', 'first', 'chunks', 'silent'];
const WHOLE = JSON.stringify({
  ...{ id: 'chatcmpl-0123456789', object: 'chat.completion', created: 1_763_700_000, model: 'm' },
  choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(760) }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 120, completion_tokens: 190, total_tokens: 310 },
});
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":120,"completion_tokens":190,"total_tokens":310}}\n\n';
const DONE = 'data: [DONE]\n\n';

const streams = new Map<uWS.HttpResponse, number>();
let ticker: NodeJS.Timeout | undefined;

/** Some 200 bytes, as providers send for a token. */
function nextEvent(): string {
  const sent = String(sentNow()).padStart(15, '0');
  return `data: {"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":1763700000,"model":"m","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}],${SENT_MARK}${sent}}\n\n`;
}

function tick(): void {
  const event = nextEvent();
  for (const [response, left] of streams) {
    response.cork(() => {
      if (left > 0) response.write(event);
      else response.end(USAGE + DONE);
    });
    if (left > 0) streams.set(response, left - 1);
    else streams.delete(response);
  }
  if (streams.size > 0) return;
  clearInterval(ticker);
  ticker = undefined;
}

function answer(response: uWS.HttpResponse, kind: AskedAnswer): void {
  response.cork(() => {
    for (const [name, value] of HEADERS) response.writeHeader(name, value);
    response.writeHeader('content-type', kind === 'whole' ? 'application/json' : 'text/event-stream');
    if (kind === 'whole') response.end(WHOLE);
    else response.write(nextEvent());
    if (kind === 'first') response.write(nextEvent());
    if (kind === 'first') response.end(USAGE + DONE);
  });
  if (kind !== 'chunks') return;
  streams.set(response, CHUNKS - 1);
  ticker ??= setInterval(tick, 1);
}

const app = uWS.App();
app.post('/*', (response, request) => {
  let kind: AskedAnswer | undefined = request.getUrl().endsWith('/transcriptions') ? 'whole' : undefined;
  response.onAborted(() => streams.delete(response));
  response.onData((memory, isLast) => {
    if (kind === undefined) {
      const body = Buffer.from(memory).toString('latin1');
      kind = KINDS.find((each) => body.includes(`"model":"${each}"`));
    }
    if (isLast) answer(response, kind ?? 'whole');
  });
});
app.listen('127.0.0.1', 0, (socket) => {
  if (socket !== false) process.send?.(uWS.us_socket_local_port(socket));
});
process.on('disconnect', () => process.exit(0));

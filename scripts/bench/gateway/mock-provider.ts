/** The provider of the gateway benchmark: answers at once, so that what is measured is what stands before it. A process of its own; sends its port. */
import uWS from '#uws';

const EVENT = `data: {"choices":[{"delta":{"content":"${'x'.repeat(40)}"}}]}\n\n`;
const ANSWER = JSON.stringify({ choices: [{ message: { content: 'x'.repeat(400) } }], usage: { total_tokens: 9 } });

const app = uWS.App();

app.post('/v1/chat/completions', (response) => {
  let isStream = false;
  response.onAborted(() => undefined);
  response.onData((memory, isLast) => {
    isStream ||= Buffer.from(memory).includes('"stream":true');
    if (!isLast) return;
    if (!isStream) {
      response.writeHeader('content-type', 'application/json').end(ANSWER);
      return;
    }
    response.writeHeader('content-type', 'text/event-stream').write(EVENT);
    response.write(EVENT);
    response.end('data: [DONE]\n\n');
  });
});

app.post('/v1/audio/transcriptions', (response) => {
  response.onAborted(() => undefined);
  response.onData((_, isLast) => {
    if (isLast) response.writeHeader('content-type', 'application/json').end('{"text":"done"}');
  });
});

app.listen('127.0.0.1', 0, (socket) => {
  if (socket !== false) process.send?.(uWS.us_socket_local_port(socket));
});

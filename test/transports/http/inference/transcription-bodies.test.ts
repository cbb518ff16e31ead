/** The inference listener's bodies in sum, without a model. */
import t from 'tap';
import { createByteBudget } from '../../../../transports/http/server/byte-budget.ts';
import { addTranscriptionRoutes } from '../../../../transports/http/inference/transcriptions.ts';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { connectRaw } from '../../../fixtures/raw-client.ts';

t.test('recordings that are being sent are bounded in sum, and those without a key take no part of it', async (t) => {
  const bodies = createByteBudget(1_000_000);
  const pool = { recognise: () => Promise.reject(new Error('nothing is recognised here')) };
  const { port } = await startTestListener(t, (server) =>
    addTranscriptionRoutes(server, { pool, languages: ['en'], key: 'right', startedMs: 0, bodies }),
  );
  const send = async (key: string, bytes: number) => {
    const client = await connectRaw(t, port);
    client.send(
      `POST /v1/audio/transcriptions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${key}\r\nContent-Length: 2000000\r\n\r\n`,
    );
    void client.sendAll(Buffer.alloc(bytes));
    return client;
  };
  t.match(await (await send('wrong', 900_000)).until('INFERENCE_KEY_INVALID'), /^HTTP\/1\.1 401 /);
  const first = await send('right', 900_000);
  const isTaken = () => {
    if (!bodies.take(100_001)) return true;
    bodies.giveBack(100_001);
    return false;
  };
  while (!isTaken()) await new Promise((resolve) => setImmediate(resolve));
  t.match(await (await send('right', 900_000)).until('UNAVAILABLE'), /^HTTP\/1\.1 503 .*\r\nretry-after: 1\r\n/is);
  first.reset();
  while (isTaken()) await new Promise((resolve) => setImmediate(resolve));
  t.ok(bodies.take(1_000_000));
});

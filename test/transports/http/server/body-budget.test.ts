import t from 'tap';
import { createByteBudget } from '../../../../transports/http/server/byte-budget.ts';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { connectRaw } from '../../../fixtures/raw-client.ts';

t.test('bodies that are collected at once are bounded in sum, and what was answered or left makes room', async (t) => {
  const budget = createByteBudget(1_000_000);
  const { port, base } = await startTestListener(t, (server) => {
    const limits = { budget, maxBytes: 900_000 };
    server.route(
      'POST',
      '/x',
      async (request) => ({ status: 200, body: { got: (await request.readBody()).length } }),
      limits,
    );
  });
  const post = (bytes: number) => fetch(`${base}/x`, { method: 'POST', body: Buffer.alloc(bytes) });
  const slow = async () => {
    const client = await connectRaw(t, port);
    client.send('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 800000\r\n\r\n');
    await client.sendAll(Buffer.alloc(700_000));
    return client;
  };
  const first = await slow();
  let refused = await post(400_000);
  // The first one's bytes may still be on their way.
  while (refused.status === 200) refused = await post(400_000);
  t.equal(refused.status, 503);
  t.equal(refused.headers.get('retry-after'), '1');
  t.equal((await post(100_000)).status, 200, 'small ones still fit');
  first.send(Buffer.alloc(100_000));
  await first.until('"got":800000');
  t.equal((await post(900_000)).status, 200);

  const second = await slow();
  second.reset();
  let answer = await post(900_000);
  while (answer.status === 503) answer = await post(900_000);
  t.equal(answer.status, 200);
  t.ok(budget.take(1_000_000), 'all was given back');
});

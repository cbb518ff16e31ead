import t from 'tap';
import { LIMITS } from '../../../config/limits.ts';
import { createByteBudget } from '../../../transports/http/server/byte-budget.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { writeWhole } from '../../../transports/http/server/write-reply.ts';
import { Upload } from '../../../transports/proxy/upload.ts';
import { startTestListener } from '../../fixtures/api-listener.ts';
import { connectRaw } from '../../fixtures/raw-client.ts';

t.test('uploads that wait are bounded in sum; what is taken, thrown away or left makes room', async (t) => {
  const budget = createByteBudget(1_000_000);
  const uploads: Upload[] = [];
  const overflows: number[] = [];
  let wake: () => void = () => undefined;
  const { port } = await startTestListener(t, (server) =>
    server.raw('POST', '/up', (response, _, requestId) => {
      const upload = new Upload(response, {
        hasBody: true,
        bufferBytes: LIMITS.relay.uploadBufferBytes,
        budget,
        clock: systemClock,
        onArrival: () => wake(),
        onOverflow: () => {
          overflows.push(uploads.indexOf(upload));
          upload.discard();
          writeWhole(response, requestId, { status: 503, body: 'full' });
        },
      });
      response.onAborted(() => {
        upload.discard();
        wake();
      });
      uploads.push(upload);
    }),
  );
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise<void>((resolve) => (wake = resolve));
  };
  const send = async (bytes: number) => {
    const client = await connectRaw(t, port);
    client.send(`POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: ${bytes + 1}\r\n\r\n`);
    client.send(Buffer.alloc(bytes));
    return client;
  };
  const leaves = await send(200_000);
  await until(() => uploads[0]?.queuedBytes === 200_000);
  await send(200_000);
  await until(() => uploads[1]?.queuedBytes === 200_000);
  t.notOk(budget.take(600_001));
  // Its whole body fits into the kernel's memory, so that some chunk of it is one too many.
  await (await send(700_000)).until('full');
  t.strictSame(overflows, [2]);
  t.notOk(budget.take(600_001), 'what was refused is not counted any more');
  t.ok(budget.take(600_000));
  budget.giveBack(600_000);

  while (uploads[1]?.take() !== undefined);
  leaves.reset();
  await until(() => uploads[0]?.queuedBytes === 0);
  t.ok(budget.take(1_000_000));
});

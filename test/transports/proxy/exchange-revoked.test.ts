import t from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { BOTH_ROUTES, STREAMED_BYTES } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, grantOf, startGateway } from '../../fixtures/test-gateway.ts';

const sse = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const { userId, deviceId, familyId } = grantOf('good', 0);

for (const { name, ...route } of BOTH_ROUTES) {
  for (const scope of [{ familyId }, { deviceId }, { userId }]) {
    t.test(`${name}: revoking ${Object.keys(scope).join()} ends an upload under way within a second`, async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const client = await connectRaw(t, gateway.port);
      const body = route.bodyOf(STREAMED_BYTES + 50_000);
      client.send(route.head(body.length));
      client.send(body.subarray(0, STREAMED_BYTES));
      const request = await upstream.next();
      await request.received(40_000);
      const revokedMs = performance.now();
      gateway.table.apply({ op: 'revoke', scope });
      await request.closed;
      t.match(await gateway.reported(1), [{ outcome: 'client_abort', status: 401 }]);
      t.ok(performance.now() - revokedMs < 1_000);
      t.equal(gateway.relay.activeCount, 0);
    });
  }

  t.test(`${name}: a logout ends an answer under way within a second; another session's does not`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    client.send(route.head(route.body.length));
    client.send(route.body);
    const request = await upstream.next();
    await request.whole();
    request.send(sse);
    request.send(chunk('data: {"choices":[]}\n\n'));
    await client.until('choices');
    gateway.table.apply({ op: 'revoke', scope: { familyId: 'another family' } });
    t.equal(gateway.relay.activeCount, 1);
    const revokedMs = performance.now();
    gateway.table.apply({ op: 'revoke', scope: { familyId } });
    await request.closed;
    await client.ended;
    t.ok(performance.now() - revokedMs < 1_000);
    t.match(await gateway.reported(1), [{ outcome: 'client_abort' }]);
  });
}

for (const { name, ...route } of BOTH_ROUTES) {
  t.test(
    `${name}: one request too many at once is a 429 that reaches no provider, and the next may come when one has ended`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url }, requestsPerUser: 1 });
      const send = async () => {
        const client = await connectRaw(t, gateway.port);
        client.send(route.head(route.body.length));
        client.send(route.body);
        return client;
      };
      const first = await send();
      const request = await upstream.next();
      await request.whole();
      const refused = await (await send()).until('\r\n\r\n');
      t.match(refused, /^HTTP\/1\.1 429 /);
      t.match(refused, /retry-after: 1\r/i);
      t.equal(upstream.count, 1);
      request.reply(200, { 'content-type': 'application/json' }, '{"text":"first"}');
      await first.until('first');
      const second = await send();
      (await upstream.next()).reply(200, { 'content-type': 'application/json' }, '{"text":"second"}');
      await second.until('second');
      t.equal((await gateway.reported(2)).length, 2);
    },
  );
}

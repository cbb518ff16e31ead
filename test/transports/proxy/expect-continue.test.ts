/** `Expect: 100-continue` (RFC 9110 §10.1.1): native code answers it, so that what memory refuses is refused in the same packet, before any body. */
import t from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { form, head, startGateway } from '../../fixtures/test-gateway.ts';

const EXPECT = 'Expect: 100-continue';
const GO_AHEAD = 'HTTP/1.1 100 Continue\r\n\r\n';

t.test('an admitted client is told to go on, and the provider hears nothing of it', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  const body = form();
  client.send(head(body.length, [EXPECT]));
  t.equal(await client.until('\r\n\r\n'), GO_AHEAD);
  client.send(body);
  const request = await upstream.next();
  t.same(await request.whole(), body);
  t.equal(request.header('expect'), undefined);
  request.reply(200, { 'content-type': 'application/json' }, '{"text":"words"}');
  t.match(await client.until('words'), new RegExp(`^${GO_AHEAD}HTTP/1.1 200 OK`));
});

for (const [what, length] of [
  ['a short body', 100],
  ['a body of 1 GB', 1_000_000_000],
  ['a body of unknown length', undefined],
] as const) {
  t.test(
    `who is refused from memory has the refusal with the first bytes that come, and sends no ${what}`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const gateway = await startGateway(t, { providers: { main: upstream.url } });
      const refusals: readonly (readonly [status: RegExp, lines: readonly string[]])[] = [
        [/ 401 [^]*AUTH_TOKEN_MISSING/, ['Authorization: none']],
        [/ 400 [^]*BAD_REQUEST/, ['X-Session-Id: none']],
        [/ 415 [^]*UNSUPPORTED_MEDIA_TYPE/, ['Content-Encoding: gzip']],
      ];
      for (const [answer, lines] of refusals) {
        const client = await connectRaw(t, gateway.port);
        client.send(head(length, [EXPECT, ...lines]));
        await client.until(GO_AHEAD);
        const received = client.text();
        t.equal(received.indexOf(GO_AHEAD), 0);
        t.match(received, answer, 'in the same packet');
        t.match(await client.ended, answer, 'and the connection ends');
      }
      t.equal(upstream.count, 0);
    },
  );
}

t.test('who must be asked for has been told to go on by then, and is refused as any other', async (t) => {
  const upstream = await startScriptedUpstream(t);
  let answer: () => void = () => undefined;
  const asked = new Promise<undefined>((resolve) => (answer = () => resolve(undefined)));
  const gateway = await startGateway(t, { providers: { main: upstream.url }, find: () => asked });
  const client = await connectRaw(t, gateway.port);
  client.send(head(100, [EXPECT, 'Authorization: Bearer unknown']));
  t.equal(await client.until('\r\n\r\n'), GO_AHEAD);
  answer();
  t.match(await client.until('AUTH_TOKEN_UNKNOWN'), / 401 /);
  t.equal(upstream.count, 0);
});

/** What stands in the way of losing a paid request: an answer ends after its event is durable, however it ends. */
import t, { type Test } from 'tap';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { connectRaw, type RawClient } from '../../fixtures/raw-client.ts';
import { BOTH_ROUTES, type RelayRouteUnderTest } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream, type ScriptedRequest } from '../../fixtures/scripted-upstream.ts';
import { chunk, grantOf, startGateway, type TestGateway } from '../../fixtures/test-gateway.ts';

interface Scene {
  readonly gateway: TestGateway;
  readonly client: RawClient;
  readonly request: ScriptedRequest;
  readonly pass: (ms: number) => void;
}

/** A gateway whose disk keeps nothing until it is told to. */
async function heldBack(t: Test, route: RelayRouteUnderTest) {
  const clock = createManualClock();
  const kept: (() => void)[] = [];
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url }, clock, keep: (act) => kept.push(act) });
  const client = await connectRaw(t, gateway.port);
  client.send(route.head(route.body.length));
  client.send(route.body);
  const request = await upstream.next();
  await request.whole();
  const release = () => kept.splice(0).forEach((act) => act());
  return { gateway, client, request, pass: (ms: number) => clock.advance(ms), release };
}

const json = { 'content-type': 'application/json' };
const refusal = '{"error":{"message":"The audio file could not be decoded."}}';
const streamed = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

/** How an exchange ends, what the client has before its event is durable, and what ends its answer. */
const ENDS: Readonly<Record<string, readonly [act: (scene: Scene) => void, before: string, end: RegExp]>> = {
  'an answer': [({ request }) => request.reply(200, json, '{"text":"ok"}'), '', /"text":"ok"}$/],
  'a refusal by the provider': [({ request }) => request.reply(400, json, refusal), '', /^HTTP\/1\.1 400 [^]*decoded/],
  'a failure of the provider': [({ request }) => request.reply(500, json, '{}'), '', /^HTTP\/1\.1 502 /],
  'a provider that goes': [({ request }) => request.reset(), '', /^HTTP\/1\.1 502 /],
  'a timeout': [({ pass }) => pass(301_000), '', /^HTTP\/1\.1 504 /],
  'a shutdown': [
    ({ gateway, pass }) => {
      void gateway.relay.drain(10);
      pass(10);
    },
    '',
    /^HTTP\/1\.1 503 /,
  ],
  'a revoked token': [
    ({ gateway }) => {
      const { userId } = grantOf('good', 0);
      gateway.table.apply({ op: 'revoke', scope: { userId } });
    },
    '',
    /^HTTP\/1\.1 401 /,
  ],
  'a cut in the middle of an answer': [
    ({ request }) => {
      request.send(streamed);
      request.send(chunk('data: {"type":"transcript.text.delta","delta":"one","choices":[{"delta":{}}]}\n\n'));
      setTimeout(() => request.reset(), 50);
    },
    'one',
    /UPSTREAM_FAILED/,
  ],
};

for (const route of BOTH_ROUTES) {
  for (const [title, [act, before, end]] of Object.entries(ENDS)) {
    t.test(`${route.name}: ${title} ends after its event is durable, and not before`, async (t) => {
      const scene = await heldBack(t, route);
      act(scene);
      await scene.gateway.reported(1);
      // Long enough for a packet of this machine to itself.
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (before === '') t.equal(scene.client.text(), '');
      else t.match(scene.client.text(), before);
      t.notMatch(scene.client.text(), end);
      t.equal(scene.client.isEnded(), false);
      t.equal(scene.gateway.relay.activeCount, 1);
      scene.release();
      while (!end.test(scene.client.text())) await new Promise((resolve) => setTimeout(resolve, 5));
      t.equal(scene.gateway.relay.activeCount, 0);
    });
  }

  t.test(
    `${route.name}: a client that leaves while its refusal waits for the event is not answered, and nothing fails`,
    async (t) => {
      const scene = await heldBack(t, route);
      scene.request.reply(400, json, refusal);
      await scene.gateway.reported(1);
      scene.client.reset();
      await new Promise((resolve) => setTimeout(resolve, 50));
      scene.release();
      t.equal(scene.gateway.relay.activeCount, 0);
      t.same(
        scene.gateway.log.filter(({ level }) => level === 'error'),
        [],
      );
    },
  );
}

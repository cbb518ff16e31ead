import t, { type Test } from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { BOTH_ROUTES, type RelayRouteUnderTest } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { grantOf, startGateway } from '../../fixtures/test-gateway.ts';

/** What the provider is told of the caller, for each token in turn. */
async function callersSeen(
  t: Test,
  route: RelayRouteUnderTest,
  tokens: readonly string[],
  own?: string,
): Promise<(string | undefined)[]> {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url }, ...(own === undefined ? {} : { own }) });
  const userId = '01939f5e-7f00-7000-8000-000000000009';
  gateway.table.apply({ op: 'issue', grant: { ...grantOf('other', Date.now() + 900_000), userId } });
  const seen: (string | undefined)[] = [];
  for (const token of tokens) {
    const client = await connectRaw(t, gateway.port);
    client.send(route.head(route.body.length, [`Authorization: Bearer ${token}`, 'X-Vello-Caller: claimed']));
    client.send(route.body);
    const request = await upstream.next();
    seen.push(request.header('x-vello-caller'));
    await request.whole();
    request.reply(200, { 'content-type': 'application/json' }, '{}');
    await client.until('{}');
  }
  return seen;
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: our own engine hears which requests are of one user, by a name that is not his`, async (t) => {
    const [first, again, other] = await callersSeen(t, route, ['good', 'good', 'other'], 'main');
    t.match(first, /^[\w-]{22}$/);
    t.equal(again, first);
    t.match(other, /^[\w-]{22}$/);
    t.not(other, first);
  });
}

for (const route of BOTH_ROUTES) {
  t.test(`${route.name}: no other provider hears of the caller, whatever the client says`, async (t) => {
    t.same(await callersSeen(t, route, ['good']), [undefined]);
  });
}

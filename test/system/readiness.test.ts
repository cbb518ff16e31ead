/** Readiness is red until every role can do its work; the admin listener answers before that. */
import t from 'tap';
import { runVello } from '../fixtures/running-vello.ts';

t.test('ready is red until the roles can work, then green; metrics and actors answer', async (t) => {
  const vello = await runVello(t, { unready: true, roles: ['api', 'gateway', 'collector'] });
  const ready = async () => fetch(`${vello.adminUrl}/health/ready`).catch(() => undefined);
  let red: Response | undefined;
  for (;;) {
    const answer = await ready();
    if (answer?.status === 200) break;
    red = answer ?? red;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (red !== undefined) t.match(await red.json(), { status: 'not_ready', waiting_for: [/^vello\//] });
  await vello.ready();
  const metrics = await (await fetch(`${vello.adminUrl}/metrics`)).text();
  t.match(metrics, /^vello_session_sockets 0$/m);
  const { tree } = (await (await fetch(`${vello.adminUrl}/actors`)).json()) as {
    tree: { children: { id: string }[] }[];
  };
  t.strictSame(
    tree[0]?.children.map(({ id }) => id),
    ['schema', 'api', 'gateway', 'collector', 'ops'],
  );
  await vello.stop();
  t.equal(await ready(), undefined, 'nothing listens after the stop');
});

import t from 'tap';
import { METRICS } from '../../../config/metrics.ts';
import { mergeExpositions } from '../../../transports/telemetry/merge-expositions.ts';
import { createPrometheusMetrics } from '../../../transports/telemetry/prometheus-metrics.ts';

const linesOf = (text: string, part: string) => text.split('\n').filter((line) => line.includes(part));

t.test('each metric is declared once, and its series follow with the process that each is from', async (t) => {
  const [own, first, second] = [createPrometheusMetrics(), createPrometheusMetrics(), createPrometheusMetrics()];
  own.gauge('vello_actor_live', { type: 'listener' }, 1);
  first.gauge('vello_actor_live', { type: 'listener' }, 2);
  first.gauge('vello_gateway_active_requests', {}, 3);
  second.gauge('vello_actor_live', { type: 'od{d "name' }, 4);
  second.observe('vello_http_request_seconds', { listener: 'gateway', route: '/' }, 0.2);
  const texts = new Map([
    [1, await first.expose()],
    [4, await second.expose()],
  ]);
  const merged = mergeExpositions(await own.expose(), texts);
  t.strictSame(linesOf(merged, 'vello_actor_live'), [
    '# HELP vello_actor_live Living actors.',
    '# TYPE vello_actor_live gauge',
    'vello_actor_live{type="listener"} 1',
    'vello_actor_live{slot="1",type="listener"} 2',
    'vello_actor_live{slot="4",type="od{d \\"name"} 4',
  ]);
  t.strictSame(linesOf(merged, 'vello_gateway_active_requests').slice(2), [
    'vello_gateway_active_requests 0',
    'vello_gateway_active_requests{slot="1"} 3',
    'vello_gateway_active_requests{slot="4"} 0',
  ]);
  t.match(merged, /^vello_http_request_seconds_bucket\{slot="4",le="0.25",.*\} 1$/m);
  const declared = linesOf(merged, '# TYPE ');
  t.equal(new Set(declared).size, declared.length);
});

t.test('a process of another version may say other words, and have other metrics', async (t) => {
  const own = '# HELP a One.\n# TYPE a counter\na 1\n';
  const other = '# HELP a Another.\n# TYPE a counter\na 2\n\n# HELP b New.\n# TYPE b gauge\nb{x="1"} 3\n';
  t.equal(
    mergeExpositions(own, new Map([[2, other]])),
    '# HELP a One.\n# TYPE a counter\na 1\na{slot="2"} 2\n\n# HELP b New.\n# TYPE b gauge\nb{slot="2",x="1"} 3\n',
  );
});

t.test(
  'what is another kind of metric in a process of another version is left out, the rest of it is not',
  async (t) => {
    const own = '# HELP a One.\n# TYPE a counter\na 1\n';
    const other = '# HELP a One.\n# TYPE a gauge\na{x="1"} 7\n\n# HELP b New.\n# TYPE b gauge\nb 3\n';
    t.equal(
      mergeExpositions(own, new Map([[2, other]])),
      '# HELP a One.\n# TYPE a counter\na 1\n\n# HELP b New.\n# TYPE b gauge\nb{slot="2"} 3\n',
    );
  },
);

t.test('labels in another order are the same series of each process, which stay apart', async (t) => {
  const head = '# TYPE a counter\n';
  const texts = new Map([
    [1, `${head}a{x="1",y="2"} 3\n`],
    [2, `${head}a{y="2",x="1"} 4\n`],
  ]);
  t.equal(mergeExpositions('', texts), `${head}a{slot="1",x="1",y="2"} 3\na{slot="2",y="2",x="1"} 4\n`);
});

t.test('a process that is replaced takes its own series back to zero, and no other', async (t) => {
  const count = async (requests: number) => {
    const metrics = createPrometheusMetrics();
    metrics.count('vello_gateway_requests_total', { route: '/', outcome: 'ok' }, requests);
    return metrics.expose();
  };
  const scrape = async (bySlot: Readonly<Record<number, number>>) => {
    const texts = new Map<number, string>();
    for (const [slot, requests] of Object.entries(bySlot)) texts.set(Number(slot), await count(requests));
    const found = mergeExpositions(await createPrometheusMetrics().expose(), texts).matchAll(
      /^vello_gateway_requests_total\{slot="(\d)",.*\} (\d+)$/gm,
    );
    return Object.fromEntries([...found].map(([, slot = '', value]) => [slot, Number(value)] as const));
  };
  t.same(await scrape({ 1: 100, 2: 200 }), { 1: 100, 2: 200 });
  t.same(
    await scrape({ 3: 5, 2: 210 }),
    { 3: 5, 2: 210 },
    'a successor has a folder of its own, so a series of its own',
  );
  t.same(
    await scrape({ 3: 50, 1: 7 }),
    { 3: 50, 1: 7 },
    'the next one has the first one again: 100, then 7, is a new beginning',
  );
});

t.test('no metric has a label of the name that tells processes apart', async (t) => {
  for (const [name, { labels }] of Object.entries(METRICS))
    t.notOk((labels as readonly string[]).includes('slot'), name);
});

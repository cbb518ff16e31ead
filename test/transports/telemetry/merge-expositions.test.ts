import t from 'tap';
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

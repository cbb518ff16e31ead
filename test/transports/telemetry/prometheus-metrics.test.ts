import t from 'tap';
import { METRICS } from '../../../config/metrics.ts';
import { publishProcessMetrics } from '../../../transports/telemetry/process-metrics.ts';
import { createPrometheusMetrics } from '../../../transports/telemetry/prometheus-metrics.ts';

t.test('every declared metric is exposed with its help and kind, used or not', async (t) => {
  const text = await createPrometheusMetrics().expose();
  for (const [name, { kind }] of Object.entries(METRICS)) t.match(text, `# TYPE ${name} ${kind}`);
});

t.test('counters add up, gauges keep the last value, histograms count per bucket', async (t) => {
  const metrics = createPrometheusMetrics();
  const http = { listener: 'api', route: '/api/time' };
  metrics.count('vello_http_requests_total', { ...http, status: '200' });
  metrics.count('vello_http_requests_total', { ...http, status: '200' }, 2);
  metrics.gauge('vello_actor_live', { type: 'session' }, 7);
  metrics.gauge('vello_actor_live', { type: 'session' }, 5);
  metrics.observe('vello_http_request_seconds', http, 0.003);
  metrics.observe('vello_http_request_seconds', http, 99);
  const text = await metrics.expose();
  t.match(text, 'vello_http_requests_total{listener="api",route="/api/time",status="200"} 3');
  t.match(text, 'vello_actor_live{type="session"} 5');
  t.match(text, 'vello_http_request_seconds_bucket{le="0.0025",listener="api",route="/api/time"} 0');
  t.match(text, 'vello_http_request_seconds_bucket{le="0.005",listener="api",route="/api/time"} 1');
  t.match(text, 'vello_http_request_seconds_bucket{le="+Inf",listener="api",route="/api/time"} 2');
  t.match(text, 'vello_http_request_seconds_count{listener="api",route="/api/time"} 2');
});

t.test('observations counted elsewhere join those made here', async (t) => {
  const metrics = createPrometheusMetrics();
  const counts = new Array<number>(16).fill(0);
  counts[0] = 10;
  counts[15] = 1;
  metrics.observe('vello_actor_handler_seconds', { type: 'a' }, 0.0001);
  metrics.addObservations('vello_actor_handler_seconds', { type: 'a' }, counts, 31);
  const text = await metrics.expose();
  t.match(text, 'vello_actor_handler_seconds_bucket{le="0.0005",type="a"} 11');
  t.match(text, 'vello_actor_handler_seconds_bucket{le="30",type="a"} 11');
  t.match(text, 'vello_actor_handler_seconds_count{type="a"} 12');
  t.match(text, 'vello_actor_handler_seconds_sum{type="a"} 31.0001');
});

t.test('what is read only when somebody looks is read at each scrape', async (t) => {
  const metrics = createPrometheusMetrics();
  let scrapes = 0;
  metrics.onScrape(() => void (scrapes += 1));
  const stop = publishProcessMetrics(metrics);
  await metrics.expose();
  const text = await metrics.expose();
  t.equal(scrapes, 2);
  t.match(text, /vello_node_memory_bytes\{kind="resident"\} \d{6,}/);
  t.match(text, /vello_node_event_loop_utilization \d/);
  stop();
});

/** The names of metrics by the rules that `promtool check metrics` holds them to, so that they are held where there is no promtool. */
import t from 'tap';
import { METRICS } from '../../config/metrics.ts';

t.test('names and labels mean to Prometheus what they mean to us', async (t) => {
  for (const [name, { kind, labels = [] }] of Object.entries(METRICS)) {
    t.match(name, /^vello_[a-z][a-z0-9_]*$/, name);
    t.equal(name.endsWith('_total'), kind === 'counter', `${name}: _total is for counters, and every counter's`);
    t.notMatch(name, /_(sum|count|bucket|info)$/, `${name}: these ends belong to histograms and summaries`);
    t.notMatch(name, /_(ms|milliseconds|minutes|kb|mb|percent)(_|$)/, `${name}: base units only`);
    for (const label of labels) t.notOk(['le', 'quantile', 'job', 'instance'].includes(label), `${name}{${label}}`);
  }
});

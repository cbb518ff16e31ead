import t from 'tap';
import { LabelledSeries } from '../../../transports/telemetry/labelled-series.ts';

t.test('the same values are one series, in whatever order they are given', async (t) => {
  const series = new LabelledSeries(['a', 'b'], (labels) => ({ labels }));
  const first = series.of({ a: 'x', b: 'y' });
  t.equal(series.of({ b: 'y', a: 'x' }), first);
  t.not(series.of({ a: 'y', b: 'x' }), first);
  t.not(series.of({ a: 'x', b: 'x' }), first);
  t.same(
    series.all.map(({ labels }) => labels),
    [
      { a: 'x', b: 'y' },
      { a: 'y', b: 'x' },
      { a: 'x', b: 'x' },
    ],
  );
});

t.test('what a caller changes in its labels later changes no series', async (t) => {
  const series = new LabelledSeries(['a'], (labels) => ({ labels }));
  const given = { a: 'x' };
  const { labels } = series.of(given);
  given.a = 'y';
  t.same(labels, { a: 'x' });
});

t.test('without labels there is one series', async (t) => {
  const series = new LabelledSeries([], () => ({}));
  t.equal(series.of({}), series.of({}));
  t.equal(series.all.length, 1);
});

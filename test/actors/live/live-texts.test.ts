import t from 'tap';
import { LiveTexts } from '../../../actors/live/live-texts.ts';

t.test('items have their place from when they began, however late their text comes', async (t) => {
  const texts = new LiveTexts();
  texts.begin('first');
  texts.begin('second');
  t.match(texts.final('second', ' Later. ', { startMs: 5 }), { seq: 1, item: 1, text: ' Later. ', start_ms: 5 });
  t.match(texts.final('first', 'Earlier.', { endMs: 4 }), { seq: 2, item: 0, end_ms: 4 });
  t.equal(texts.whole(), 'Earlier. Later.');
  t.strictSame(
    texts.missedAfter(1).map((message) => message.item),
    [0],
  );
});

t.test('what is final says nothing more', async (t) => {
  const texts = new LiveTexts();
  texts.final('a', 'Done.', {});
  t.equal(texts.partial('a', 'more'), undefined);
  t.equal(texts.final('a', 'Again.', {}), undefined);
  t.equal(texts.whole(), 'Done.');
});

t.test('a partial says where it stands, and nothing where there is nothing', async (t) => {
  const texts = new LiveTexts();
  t.equal(texts.partial('a', ''), undefined);
  t.match(texts.partial('a', 'ab'), { at: 0, text: 'ab' });
  t.match(texts.partial('a', 'c'), { at: 2, text: 'c' });
  t.match(texts.missedAfter(0), [{ type: 'partial', at: 0, text: 'abc' }]);
  texts.final('a', '', {});
  t.match(texts.missedAfter(0), [{ type: 'final', text: '' }]);
  t.equal(texts.whole(), '');
});

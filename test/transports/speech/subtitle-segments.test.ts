import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { subtitleSegments } from '../../../transports/speech/subtitle-segments.ts';

const span = (startSeconds: number, endSeconds: number) => ({ startSeconds, endSeconds });
const tokensOf = (text: string) =>
  (text.match(/\s?\S+/g) ?? []).map((word, id) => ({ id, text: word, logProbability: -id }));

t.test('leaves up to 8 s whole, from the first speech to the last', async (t) => {
  const tokens = tokensOf('She opened the window and listened.');
  t.match(subtitleSegments([span(1, 3), span(4, 8.5)], tokens), [
    { startSeconds: 1, endSeconds: 8.5, text: 'She opened the window and listened.', tokens: [0, 1, 2, 3, 4, 5] },
  ]);
});

t.test('cuts at the pauses, where a sentence ends near the share of the letters', async (t) => {
  const tokens = tokensOf('The old clock strikes seven and we leave. Please bring all of the letters back to them.');
  const segments = subtitleSegments([span(0, 5), span(5.5, 11)], tokens);
  t.match(segments, [
    { startSeconds: 0, endSeconds: 5, text: 'The old clock strikes seven and we leave.' },
    { startSeconds: 5.5, endSeconds: 11, text: 'Please bring all of the letters back to them.' },
  ]);
  t.equal(segments[0]?.averageLogProbability, -3.5);
});

t.test('divides speech without a pause into equal parts', async (t) => {
  const segments = subtitleSegments([span(0, 24)], tokensOf('one two three four five six seven eight nine ten'));
  t.same(
    segments.map(({ startSeconds, endSeconds }) => [startSeconds, endSeconds]),
    [
      [0, 8],
      [8, 16],
      [16, 24],
    ],
  );
});

t.test('gives a time without a word of its own to the next segment', async (t) => {
  const segments = subtitleSegments([span(0, 1), span(8.5, 16)], tokensOf('Yes'));
  t.match(segments, [{ startSeconds: 0, endSeconds: 16, text: 'Yes' }]);
});

t.test('loses and doubles no token, and runs forward in time, whatever the spans', async () => {
  const lengths = fc.array(fc.double({ min: 0.1, max: 12, noNaN: true }), { minLength: 1, maxLength: 8 });
  const words = fc.array(fc.stringMatching(/^[a-z]{1,9}[.,]?$/), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(lengths, words, (seconds, text) => {
      let at = 0;
      const spans = seconds.map((length) => span((at += 0.3), (at += length)));
      const tokens = tokensOf(text.join(' '));
      const segments = subtitleSegments(spans, tokens);
      assert.equal(segments.map((segment) => segment.text).join(' '), text.join(' '));
      assert.deepEqual(
        segments.flatMap((segment) => segment.tokens),
        tokens.map(({ id }) => id),
      );
      segments.forEach(({ startSeconds, endSeconds }, index) => {
        assert.ok(startSeconds < endSeconds && startSeconds >= (segments[index - 1]?.endSeconds ?? 0));
      });
    }),
  );
});

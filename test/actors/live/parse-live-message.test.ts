import t from 'tap';
import { parseLiveMessage } from '../../../actors/live/parse-live-message.ts';

t.test('only what the protocol knows says something', async (t) => {
  t.same(parseLiveMessage('{"type":"commit"}'), { type: 'commit' });
  t.same(parseLiveMessage('{"type":"end"}'), { type: 'end' });
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '"end"',
    '{"type":"audio"}',
    '{"type":"end","now":true}',
    '{"type":["end"]}',
  ]) {
    t.equal(parseLiveMessage(text), undefined, text);
  }
});

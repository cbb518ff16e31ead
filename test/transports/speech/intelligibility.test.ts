import t from 'tap';
import { isIntelligible, type JudgedText } from '../../../transports/speech/intelligibility.ts';

const judged = (averageLogProbability: number, text: string, tokens = 10): JudgedText => ({
  text,
  tokens: new Array<number>(tokens).fill(1),
  averageLogProbability,
});
const sentence = 'She opened the window and listened to the rain falling on the garden.';

t.test('tells what was said from what is improbable and from what repeats itself', async (t) => {
  t.ok(isIntelligible([judged(-0.7, sentence)]));
  t.notOk(isIntelligible([judged(-0.8, sentence)]));
  t.notOk(isIntelligible([judged(-0.3, '15k32, '.repeat(12))]));
});

t.test('weighs segments by their tokens: one unclear word does not spoil a recording', async (t) => {
  t.ok(isIntelligible([judged(-0.1, sentence, 20), judged(-2, 'Hm.', 2)]));
  t.notOk(isIntelligible([judged(-0.1, 'Yes.', 2), judged(-1.2, sentence, 20)]));
});

t.test('takes no long text for one that repeats itself', async (t) => {
  const words = [sentence, 'My brother bought a loaf of bread.', 'We sat around the fire and told old stories.'].join(
    ' ',
  );
  t.ok(isIntelligible([judged(-0.55, `${words} The boats went along the river. ${sentence}`, 80)]));
});

import fc from 'fast-check';
import t from 'tap';
import { createAgreedWords } from '../../../actors/inference/agreed-words.ts';

t.test('words are told when two recognitions in a row agree in them', async (t) => {
  const words = createAgreedWords();
  t.equal(words.add('Your voice to.'), '');
  t.equal(words.add('Your voice travels to the model.'), 'Your voice');
  t.equal(words.add('Your voice travels to the model, and the words come.'), ' travels to the');
  t.equal(words.add('Your voice travels to the'), '', 'a shorter one takes nothing back');
  t.equal(words.add('Your voice travels to the model, and the words come back.'), '');
  t.equal(words.add('Your voice travels to the model, and the words come back to you.'), ' model, and the words come');
});

t.test('a recognition that contradicts what was told tells nothing more', async (t) => {
  const words = createAgreedWords();
  words.add('one two three');
  t.equal(words.add('one two four'), 'one two');
  t.equal(words.add('won two four'), '');
  t.equal(words.add('won two four five'), '');
  t.equal(words.add('one two four five'), '');
  t.equal(words.add('one two four five six'), ' four five');
});

t.test('what was told, joined, is always the beginning of some recognition', async () => {
  const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 6 }).map((words) => words.join(' '));
  fc.assert(
    fc.property(fc.array(text, { maxLength: 12 }), (texts) => {
      const words = createAgreedWords();
      let told = '';
      for (const [index, one] of texts.entries()) {
        told += words.add(one);
        const isOfOne = texts.slice(0, index + 1).some((before) => before.startsWith(told));
        if (!isOfOne) return false;
      }
      return true;
    }),
  );
});

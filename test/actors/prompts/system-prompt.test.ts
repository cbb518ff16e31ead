import t from 'tap';
import { faultOfPrompt, fillPrompt, PROMPT_NAME, variablesOf } from '../../../actors/prompts/system-prompt.ts';

t.test('variables are found once each, in the order of their first mention', async (t) => {
  t.strictSame(variablesOf('Say {{b}} to {{a_1}}, then {{b}} again.'), ['b', 'a_1']);
  t.strictSame(variablesOf('None: {a}, {{}}, {{ a }}, {{A}}, {{1a}}, {{a-b}}.'), []);
});

t.test('a text is filled with values as they are, and no value is read as a mention', async (t) => {
  const values = new Map([
    ['a', '{{b}} $& $1 \n "'],
    ['b', ''],
  ]);
  t.equal(fillPrompt('<{{a}}|{{b}}|{{a}}>', values), '<{{b}} $& $1 \n "||{{b}} $& $1 \n ">');
});

t.test('what can be no prompt says why', async (t) => {
  t.equal(faultOfPrompt('Answer as {"a": {"b": {{c}}}} and {x}.'), undefined, 'braces of JSON are no mentions');
  t.equal(faultOfPrompt('x'.repeat(65_536)), undefined);
  t.equal(faultOfPrompt('{{a}}'.repeat(64)), undefined);
  for (const [text, fault] of [
    ['', /empty/],
    [' \n', /empty/],
    ['x'.repeat(65_537), /65537 characters.*65536/],
    ['Hello {{ name }}.', /"\{\{ name \}\}\." opens no variable/],
    ['Hello {{Name}}', /opens no variable/],
    ['Hello {{name', /opens no variable/],
    ['{{a}}'.repeat(65), /65 times.*64/],
  ] as const) {
    t.match(faultOfPrompt(text), fault, text.slice(0, 20));
  }
});

t.test('names are those that a header, a path and a command line take as they are', async (t) => {
  for (const name of ['a', '0', 'tidy-up', 'mail.reply_2', 'x'.repeat(64)]) t.match(name, PROMPT_NAME);
  for (const name of ['', '-a', '.a', 'A', 'a b', 'a/b', 'a@1', 'ä', 'x'.repeat(65), 'a\n'])
    t.notMatch(name, PROMPT_NAME);
});

import t from 'tap';
import { promptChat } from '../../../actors/prompts/prompted-chat.ts';
import type { SystemPrompt } from '../../../actors/prompts/system-prompt.ts';
import { VelloError } from '../../../config/errors.ts';

const prompts = new Map<string, SystemPrompt>(
  [
    ['tidy', 'Tidy up.'],
    ['mail', 'Answer {{sender}} in {{language}}, {{language}} only.'],
  ].map(([name = '', text = '']) => [name, { name, version: 3, text, madeAtMs: 1 }]),
);
const user = { role: 'user', content: 'hi' };
const read = (request: unknown) => promptChat(request, prompts);
const refusalOf = (request: unknown): VelloError => {
  try {
    read(request);
  } catch (error) {
    if (error instanceof VelloError) return error;
  }
  throw new Error('It was not refused.');
};
const problemsOf = (request: unknown) => {
  const { code, extras } = refusalOf(request);
  t.equal(code, 'INVALID_FIELDS');
  return Object.fromEntries((extras.fields ?? []).map(({ field, problem }) => [field, problem]));
};

t.test('the prompt comes first, then what the client said; its other members stay', async (t) => {
  const assistant = { role: 'assistant', content: [{ type: 'text', text: 'ü' }], x: null };
  t.strictSame(read({ prompt: 'tidy', messages: [user, assistant], model: 'm', stream: true, tools: [{ a: 1 }] }), {
    prompt: 'tidy@3',
    chat: {
      model: 'm',
      stream: true,
      tools: [{ a: 1 }],
      messages: [{ role: 'system', content: 'Tidy up.' }, user, assistant],
    },
  });
  t.strictSame(read({ prompt: 'tidy', variables: {}, messages: [] }).chat, {
    messages: [{ role: 'system', content: 'Tidy up.' }],
  });
});

t.test('variables are put in as they are, wherever they are mentioned', async (t) => {
  const variables = { sender: '{{language}} "$&" \n', language: '' };
  t.match(read({ prompt: 'mail', variables, messages: [user] }).chat, {
    messages: [{ content: 'Answer {{language}} "$&" \n in ,  only.' }, user],
  });
  t.ok(read({ prompt: 'mail', variables: { sender: 'x'.repeat(16_384), language: 'en' }, messages: [] }));
});

t.test('every offending field is named', async (t) => {
  t.strictSame(
    problemsOf({
      prompt: 'mail',
      variables: { sender: 5, 'no/such~one': 'x', __proto: 'x' },
      messages: [user, { role: 'system', content: 'x' }, 'x', { content: 'x' }, { role: ' Developer' }, null],
    }),
    {
      '/variables/sender': 'must be a string',
      '/variables/no~1such~0one': 'is no variable of the prompt',
      '/variables/__proto': 'is no variable of the prompt',
      '/variables/language': 'is missing',
      '/messages/1/role': 'belongs to the prompt',
      '/messages/2': 'must be an object',
      '/messages/3/role': 'must be a string',
      '/messages/4/role': 'belongs to the prompt',
      '/messages/5': 'must be an object',
    },
  );
  t.strictSame(problemsOf({ variables: { a: 1, b: 'x' }, messages: {} }), {
    '/prompt': 'must be the name of a prompt',
    '/variables/a': 'must be a string',
    '/messages': 'must be an array',
  });
  t.strictSame(problemsOf({ prompt: 'tidy', variables: null, messages: [] }), { '/variables': 'must be an object' });
  const long = { sender: 'x'.repeat(16_385), language: 'en' };
  t.strictSame(problemsOf({ prompt: 'mail', variables: long, messages: [] }), {
    '/variables/sender': 'must have at most 16384 characters',
  });
  const inherited = '{"prompt":"mail","variables":{"__proto__":"x","toString":"y"},"messages":[]}';
  t.match(problemsOf(JSON.parse(inherited)), {
    '/variables/__proto__': 'is no variable of the prompt',
    '/variables/toString': 'is no variable of the prompt',
    '/variables/sender': 'is missing',
  });
  const many = Array.from({ length: 1_000 }, () => null);
  t.equal(Object.keys(problemsOf({ prompt: 'tidy', messages: many })).length, 100, 'but not without end');
});

t.test('a prompt that is not there is 404, what is no JSON object 400', async (t) => {
  t.match(refusalOf({ prompt: 'nothing', messages: 5 }), {
    code: 'PROMPT_NOT_FOUND',
    status: 404,
    detail: /"nothing"/,
  });
  t.equal(refusalOf({ prompt: 'toString', messages: [] }).code, 'PROMPT_NOT_FOUND');
  for (const request of [[], null, 'x', 5]) t.equal(refusalOf(request).code, 'BAD_REQUEST');
});

import t from 'tap';
import { concernsOurAccount, replyToRefusal } from '../../../transports/proxy/upstream-refusal.ts';

const NOW = Date.parse('Fri, 27 Nov 2026 12:00:00 GMT');
const reply = (status: number, error: object | string, headers: Record<string, string> = {}, openai = true) => {
  const body = typeof error === 'string' ? error : JSON.stringify({ error });
  return replyToRefusal({ status, headers, body }, 'request', openai, NOW);
};

const ABOUT_US = [
  [
    429,
    {
      message: 'You exceeded your current quota, please check your plan and billing details.',
      type: 'insufficient_quota',
      code: 'insufficient_quota',
    },
  ],
  [
    429,
    {
      message: 'Rate limit reached for gpt-4o in organization org-AbC123def456 on tokens per min.',
      type: 'tokens',
      code: 'rate_limit_exceeded',
    },
  ],
  [
    400,
    {
      message: 'Billing hard limit has been reached',
      type: 'invalid_request_error',
      code: 'billing_hard_limit_reached',
    },
  ],
  [401, { message: 'Incorrect API key provided: sk-abc***', code: 'invalid_api_key' }],
  [403, { message: 'Project `proj_AbC123def456` does not have access to model `gpt-5`', code: 'model_not_found' }],
  [404, { message: 'Your organization must be verified to use the model `gpt-5`.', code: 'model_not_found' }],
  [500, { message: 'The server had an error for org-AbC123def456', type: 'server_error' }],
  [400, { message: 'File belongs to user-AbC123def456 of proj_AbC123def456', type: 'invalid_request_error' }],
] as const;

for (const openai of [true, false]) {
  t.test(
    `what a provider says about our account reaches no user (${openai ? "OpenAI's dialect" : 'ours'})`,
    async (t) => {
      for (const [status, error] of ABOUT_US) {
        const { body } = reply(status, error, {}, openai);
        t.notMatch(body, /quota|billing|organization|org-|proj_|user-|sk-|api key|plan/i, `${status} ${error.message}`);
      }
    },
  );
}

t.test("a quota of ours that is used up is our failure and not the caller's haste", async (t) => {
  const error = { message: 'You exceeded your current quota', code: 'insufficient_quota' };
  t.equal(reply(429, error).status, 502);
  t.ok(concernsOurAccount(429, JSON.stringify({ error })));
  t.notOk(concernsOurAccount(429, JSON.stringify({ error: { code: 'rate_limit_exceeded' } })));
});

t.test('a mistake of the client reaches it in the words of the provider', async (t) => {
  const error = { message: 'Invalid file format.', type: 'invalid_request_error', param: 'file', code: null };
  t.match(reply(400, error), { status: 400, body: JSON.stringify({ error }) });
  t.match(JSON.parse(reply(400, error, {}, false).body), { code: 'BAD_REQUEST', detail: 'Invalid file format.' });
});

t.test('a 429 always says in whole seconds when to come again', async (t) => {
  const busy = { message: 'slow down', code: 'rate_limit_exceeded' };
  const waits: readonly (readonly [Record<string, string>, string])[] = [
    [{}, '1'],
    [{ 'retry-after': '7' }, '7'],
    [{ 'retry-after': '0.2' }, '1'],
    [{ 'retry-after': '0' }, '1'],
    [{ 'retry-after-ms': '2500', 'retry-after': '9' }, '3'],
    [{ 'retry-after': 'Fri, 27 Nov 2026 12:00:30 GMT' }, '30'],
    [{ 'retry-after': 'Fri, 27 Nov 2026 11:00:00 GMT' }, '1'],
    [{ 'retry-after': 'Fri, 27 Nov 2099 11:00:00 GMT' }, '86400'],
    [{ 'retry-after': 'soon' }, '1'],
    [{ 'retry-after': '-5' }, '1'],
  ];
  for (const [headers, seconds] of waits) {
    for (const openai of [true, false]) {
      const { status, headers: answered } = reply(429, busy, headers, openai);
      t.match({ status, after: answered['Retry-After'] }, { status: 429, after: seconds }, JSON.stringify(headers));
    }
  }
  t.equal(reply(429, 'not JSON').headers['Retry-After'], '1');
});

t.test('a refusal names the request as its answer does, whatever the engine called it', async (t) => {
  const error = { message: 'There is no "request_id": "x".', code: 'MODEL_NOT_FOUND', request_id: '01-theirs' };
  t.same(JSON.parse(reply(404, error).body), { error: { ...error, request_id: 'request' } });
  t.match(JSON.parse(reply(404, error, {}, false).body), { code: 'MODEL_NOT_FOUND', request_id: 'request' });
});

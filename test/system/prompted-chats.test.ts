/** A prompt's way from the operator's database to a model: by the api to Redis, to the gateway, before the words of a desktop; and what it costs. */
import t from 'tap';
import { connectRedis } from '../../transports/redis/connection/connect.ts';
import { runVello } from '../fixtures/running-vello.ts';
import { createMemoryLog } from '../fixtures/silent.ts';
import { eventually } from '../fixtures/event-streams-on-redis.ts';
import { CHAT_USAGE, startOpenAiProvider } from '../fixtures/openai-provider.ts';

const provider = await startOpenAiProvider(t);
const environment = { VELLO_PROVIDER_URL: provider.url, OPENAI_API_KEY: 'sk-of-this-test' };
const vello = await runVello(t, { roles: ['api', 'gateway', 'collector'], environment });
const desktop = vello.desktop();
const { userId } = await desktop.register();
const session = '01939f5e-7f00-7000-8000-00000000abcd';

const write = (version: number, body: string) => vello.database`
  insert into system_prompts (name, version, body, author, reason, created_at)
  values ('tidy', ${version}, ${body}, 'ann', 'a test', clock_timestamp())`;

async function ask(): Promise<Response> {
  return fetch(`${vello.gatewayUrl}/vello/process`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${await desktop.accessToken()}`,
      'Content-Type': 'application/json',
      'X-Session-Id': session,
    },
    body: JSON.stringify({
      prompt: 'tidy',
      variables: { tone: 'kindly' },
      messages: [{ role: 'user', content: 'hi' }],
    }),
  });
}

const usesVersion = (version: number) =>
  eventually(async () => {
    const answer = await ask();
    await answer.text();
    return answer.headers.get('x-vello-prompt') === `tidy@${version}`;
  });

t.test('a prompt is used once it is written, and its newest text from then on', async (t) => {
  t.equal((await ask()).status, 404);
  await write(1, 'Answer {{tone}}.');
  await usesVersion(1);
  const sent = JSON.parse(provider.asked.at(-1)?.body.toString() ?? '') as { readonly messages: readonly object[] };
  t.same(sent.messages, [
    { role: 'system', content: 'Answer kindly.' },
    { role: 'user', content: 'hi' },
  ]);
  await write(2, 'Answer {{tone}}, and briefly.');
  await usesVersion(2);
});

t.test('each chat is a job, which costs what the provider counted and nothing where it was refused', async (t) => {
  const jobs = () => vello.database`
    select type, status, usage, credits_deducted from jobs where user_id = ${userId} and session_id = ${session}`;
  await eventually(async () => (await jobs()).some(({ status }) => status === 200));
  for (const { type, status, usage, credits_deducted: credits } of await jobs()) {
    t.equal(type, 'process');
    t.match([status, usage, Number(credits) > 0], status === 200 ? [200, CHAT_USAGE, true] : [404, null, false]);
  }
});

t.test('a gateway keeps its prompts where Redis lost them, and the next change brings all of them back', async (t) => {
  const redis = await connectRedis({ url: vello.redis.url, use: 'command', name: 'test', log: createMemoryLog() });
  t.teardown(() => redis.disconnect());
  await redis.del('vello:prompts', 'vello:prompts:texts');
  t.equal((await ask()).headers.get('x-vello-prompt'), 'tidy@2');
  // Half a minute at most; a change says all of them again.
  await write(3, 'Answer {{tone}}!');
  await usesVersion(3);
  t.equal(await redis.hlen('vello:prompts'), 1);
});

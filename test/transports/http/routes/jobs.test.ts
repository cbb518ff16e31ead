import t from 'tap';
import { v7 as uuidv7 } from 'uuid';
import { VelloError } from '../../../../config/errors.ts';
import { registerRoutes, type Guards } from '../../../../transports/http/api/api-route.ts';
import { jobRoutes } from '../../../../transports/http/routes/jobs.ts';
import { createAbandonedEvents } from '../../../../transports/postgres/credits/abandoned-events.ts';
import { createModelCosts } from '../../../../transports/postgres/credits/model-costs.ts';
import { createSettlement } from '../../../../transports/postgres/credits/settlement.ts';
import { connectRedis } from '../../../../transports/redis/connection/connect.ts';
import { createDeviceNotifier, deviceChannel } from '../../../../transports/redis/sessions/device-bus.ts';
import { insertAccount } from '../../../fixtures/account.ts';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { createMigratedDatabase } from '../../../fixtures/migrated-database.ts';
import { startRedis } from '../../../fixtures/redis.ts';
import { createMemoryLog } from '../../../fixtures/silent.ts';
import { usageEventFields } from '../../../fixtures/usage-event.ts';
import type { Teardown } from '../../../fixtures/temporary-folder.ts';

const refuse = () => Promise.reject(new VelloError('SERVICE_AUTH_INVALID'));
const guards: Guards = {
  bootstrap: refuse,
  access: refuse,
  service: async (request) => {
    if (request.header('x-vello-service') === '') throw new VelloError('SERVICE_AUTH_INVALID');
    return async () => ({ serviceId: 'collector' });
  },
};

async function setUp(t: Teardown) {
  const redis = await startRedis(t);
  const { admin, system } = await createMigratedDatabase(t);
  const log = createMemoryLog();
  const commands = await connectRedis({ url: redis.url, use: 'command', name: 'test', log });
  const subscriber = await connectRedis({ url: redis.url, use: 'subscriber', name: 'test', log });
  t.teardown(() => (commands.disconnect(), subscriber.disconnect()));
  const suspended: string[] = [];
  const limited: [string, number | undefined][] = [];
  const grants = {
    isDown: false,
    suspend: async (userId: string) => {
      if (grants.isDown) throw new Error('Redis is gone');
      suspended.push(userId);
    },
    limit: async (userId: string, atOnce: number | undefined) => {
      if (grants.isDown) throw new Error('Redis is gone');
      limited.push([userId, atOnce]);
    },
  };
  const routes = jobRoutes({
    settlement: createSettlement(system),
    costs: createModelCosts(system),
    abandoned: createAbandonedEvents(system),
    notifier: createDeviceNotifier(commands),
    grants,
    log,
  });
  const { base } = await startTestListener(t, (server) => registerRoutes(server, routes, guards));
  const post = async (
    path: string,
    body: object,
    headers: Record<string, string> = { 'x-vello-service': 'collector' },
  ) => {
    const request = {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    };
    const response = await fetch(`${base}${path}`, request);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { admin, post, suspended, limited, grants, subscriber };
}

const { admin, post, suspended, limited, grants, subscriber } = await setUp(t);

t.test('an event becomes a job, its credits and a notification after the commit; again, nothing', async (t) => {
  const account = await insertAccount(admin, { balance: 1000 });
  const fields = usageEventFields({ ...account, audioSeconds: 9 });
  await subscriber.subscribe(deviceChannel(account.deviceId));
  const heard = new Promise<unknown>((resolve) => {
    subscriber.once('message', (_channel, message: string) => resolve(JSON.parse(message)));
  });

  const first = await post('/api/jobs/add', { event: fields });
  t.match(first, { status: 200, body: { credits_deducted: 50, balance: 950, duplicate: false } });
  t.match(await heard, {
    type: 'job_created',
    seq: 1,
    job_id: first.body['job_id'],
    event_id: fields.event_id,
    session_id: fields.session_id,
    credits_deducted: 50,
    balance: 950,
  });
  const second = await post('/api/jobs/add', { event: fields });
  t.match(second, { status: 200, body: { ...first.body, duplicate: true } });
  const [counts] = await admin`select (select count(*)::int from jobs) as jobs,
    (select count(*)::int from credit_transactions where kind = 'charge') as charges,
    (select balance::int from users_credits where user_id = ${account.userId}) as balance`;
  t.same(counts, { jobs: 1, charges: 1, balance: 950 });
});

t.test('each event of a batch has its own verdict, in order', async (t) => {
  const account = await insertAccount(admin, { balance: 1000 });
  const good = usageEventFields({ ...account, audioSeconds: 9 });
  const { status, body } = await post('/api/jobs/add', {
    events: [
      good,
      { ...good, event_id: 'not an id' },
      usageEventFields({ userId: uuidv7(), deviceId: uuidv7() }),
      usageEventFields(),
      good,
      usageEventFields({ ...account, type: 'process', usage: { prompt_tokens: 3000, completion_tokens: 500 } }),
    ],
  });
  t.equal(status, 200);
  t.match(body['results'], [
    { credits_deducted: 50, balance: 950, duplicate: false },
    { error: { status: 422, code: 'EVENT_MALFORMED', errors: [{ field: '/event_id' }] } },
    { error: { status: 422, code: 'USER_UNKNOWN' } },
    { error: { status: 422, code: 'USER_UNKNOWN' } },
    { credits_deducted: 50, balance: 950, duplicate: true },
    { credits_deducted: 5, balance: 945, duplicate: false },
  ]);
});

t.test('a single event that cannot be settled is refused as an ordinary error', async (t) => {
  t.match(await post('/api/jobs/add', { event: { v: '1' } }), { status: 422, body: { code: 'EVENT_MALFORMED' } });
  t.match(await post('/api/jobs/add', { event: usageEventFields() }), { status: 422, body: { code: 'USER_UNKNOWN' } });
});

t.test('takes one event or a batch of 1 to 500, from a service only', async (t) => {
  const event = usageEventFields();
  t.match(await post('/api/jobs/add', { event }, {}), { status: 401, body: { code: 'SERVICE_AUTH_INVALID' } });
  for (const body of [{}, { event, events: [event] }, { events: [] }, { events: ['text'] }, { event, more: 1 }]) {
    t.match(await post('/api/jobs/add', body), { status: 422, body: { code: 'INVALID_FIELDS' } });
  }
  t.match(await post('/api/jobs/add', { events: Array.from({ length: 501 }, () => ({})) }), { status: 422 });
});

t.test(
  'the event that spends the last credit suspends its user, and is asked for again until that worked',
  async (t) => {
    const [spent, other] = [await insertAccount(admin, { balance: 10 }), await insertAccount(admin, { balance: 1000 })];
    const events = [usageEventFields({ ...spent, audioSeconds: 9 }), usageEventFields({ ...other, audioSeconds: 9 })];
    grants.isDown = true;
    t.match((await post('/api/jobs/add', { events })).body['results'], [
      { error: { status: 503, code: 'UNAVAILABLE' } },
      { balance: 950, duplicate: false },
    ]);
    grants.isDown = false;
    t.match((await post('/api/jobs/add', { events: events.slice(0, 1) })).body['results'], [
      { credits_deducted: 50, balance: -40, duplicate: true },
    ]);
    t.same(suspended, [spent.userId]);
  },
);

t.test('gateways hear how many requests at once a small balance allows, from the newest of a batch', async (t) => {
  const [small, large] = [
    await insertAccount(admin, { balance: 1_500 }),
    await insertAccount(admin, { balance: 50_000 }),
  ];
  limited.length = 0;
  const events = [small, large, small].map((owner) => usageEventFields({ ...owner, audioSeconds: 60 }));
  await post('/api/jobs/add', { events });
  t.same(limited, [[small.userId, 2]]);
  await post('/api/jobs/add', { events: events.slice(0, 1) });
  t.equal(limited.length, 1, 'what a repeated event says is old');
  grants.isDown = true;
  const more = [usageEventFields({ ...small, audioSeconds: 60 })];
  t.match((await post('/api/jobs/add', { events: more })).body['results'], [{ balance: 501 }], 'settled all the same');
  grants.isDown = false;
});

t.test('an abandoned event is recorded once, whatever its fields hold', async (t) => {
  const letter = {
    stream: 'modelsgateway:events:transcribe',
    entry_id: '1-1',
    fields: { event_id: 'broken', user_id: '' },
    attempts: [{ attempt: 1, at: 1_750_000_000_000, error: 'EVENT_MALFORMED' }],
    error_code: 'EVENT_MALFORMED',
  };
  t.match(await post('/api/jobs/dead-letters', { dead_letters: [letter, { ...letter, entry_id: '1-2' }] }), {
    status: 200,
    body: { recorded: 2 },
  });
  t.match(await post('/api/jobs/dead-letters', { dead_letters: [letter] }), { status: 200, body: { recorded: 0 } });
  t.match(
    await admin`select entry_id, event_id, fields, attempts, error_code from dead_letters order by entry_id limit 1`,
    [
      {
        entry_id: '1-1',
        event_id: null,
        fields: letter.fields,
        attempts: letter.attempts,
        error_code: 'EVENT_MALFORMED',
      },
    ],
  );
});

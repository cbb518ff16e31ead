import t from 'tap';
import { settleEvents } from '../../../actors/credits/settle-events.ts';
import type { ServerMessage } from '../../../actors/sessions/desktop-protocol.ts';
import { createModelCosts } from '../../../transports/postgres/credits/model-costs.ts';
import { createSettlement } from '../../../transports/postgres/credits/settlement.ts';
import { createDeviceNotifier } from '../../../transports/redis/sessions/device-bus.ts';
import { insertAccount, type Account } from '../../fixtures/account.ts';
import { startDesktopServer, testToken } from '../../fixtures/desktop-server.ts';
import { createMigratedDatabase } from '../../fixtures/migrated-database.ts';
import { startRedis } from '../../fixtures/redis.ts';
import { desktopHeaders, openTestDesktop } from '../../fixtures/test-desktop.ts';
import { usageEventFields } from '../../fixtures/usage-event.ts';

const database = await createMigratedDatabase(t);
const redis = await startRedis(t);
const server = await startDesktopServer(t, redis.url, database);
const account = () => insertAccount(database.admin, { balance: 5000 });

/** Settles one event of `owner`; `told: false` stands for a notice that got lost. */
async function settle(owner: Account, told = true) {
  await settleEvents(
    {
      settlement: createSettlement(database.system),
      costs: createModelCosts(database.system),
      notifier: told ? createDeviceNotifier(server.redis) : { notify: async () => undefined },
      grants: { suspend: async () => undefined, limit: async () => undefined },
      log: server.log,
    },
    [usageEventFields({ ...owner, audioSeconds: 9 })],
  );
}

const numbered = (messages: readonly ServerMessage[]) =>
  messages.flatMap((message) => ('seq' in message ? [message.seq] : []));
const waitingFor = async ({ deviceId }: Account) =>
  (await database.admin<{ seq: string }[]>`select seq from device_messages where device_id = ${deviceId}`).length;
async function until(holds: () => Promise<boolean>) {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

t.test('a connected desktop hears of its job at once, and its acknowledgement empties the outbox', async (t) => {
  const owner = await account();
  const desktop = await openTestDesktop(t, server.base, owner);
  t.match(await desktop.hear('hello'), { heartbeat_ms: 30_000, last_seq: 0, epoch: /^[0-9a-f-]{36}$/ });
  await settle(owner);
  t.match(await desktop.hear('job_created'), { seq: 1, credits_deducted: 50, balance: 4950 });
  t.equal(await waitingFor(owner), 1, 'kept until acknowledged');
  desktop.send({ type: 'ack', seq: 1 });
  await until(async () => (await waitingFor(owner)) === 0);
});

t.test('what was missed is replayed in order with the next connection, in both encodings', async (t) => {
  const owner = await account();
  for (let count = 0; count < 3; count += 1) await settle(owner);
  for (const subprotocol of ['vello.v1.json', 'vello.v1.msgpack'] as const) {
    const desktop = await openTestDesktop(t, server.base, owner, { subprotocol });
    const heard = await desktop.hearMany(4);
    t.strictSame(numbered(heard), [1, 2, 3]);
    t.match(heard[3], { type: 'job_created', credits_deducted: 50, balance: 4850 });
    const [hello] = heard;
    t.match(hello, { type: 'hello', last_seq: 3 });
    if (hello?.type === 'hello') desktop.send({ type: 'resume', epoch: hello.epoch, seq: 1 });
    t.match(await desktop.hear('resumed'), { recovered: true, last_seq: 3 });
    desktop.leave();
    await desktop.closed;
  }
});

t.test('a notice that got lost is made good from the outbox before the next message', async (t) => {
  const owner = await account();
  const desktop = await openTestDesktop(t, server.base, owner);
  await settle(owner, false);
  await settle(owner, false);
  await settle(owner);
  t.strictSame(numbered(await desktop.hearMany(4)), [1, 2, 3]);
});

t.test('one device has one live session, and the newest wins, in one process and across two', async (t) => {
  const owner = await account();
  const other = await startDesktopServer(t, redis.url, database);
  const first = await openTestDesktop(t, server.base, owner);
  const second = await openTestDesktop(t, server.base, owner);
  t.equal(await first.closed, 4409);
  const third = await openTestDesktop(t, other.base, owner);
  t.equal(await second.closed, 4409);
  await settle(owner);
  t.match(await third.hear('job_created'), { seq: 1 });
});

t.test('how many sockets are open is shown from when a listener asks for it until it takes that back', async (t) => {
  const other = await startDesktopServer(t, redis.url, database);
  const shown = () => {
    other.metrics.gauge('vello_session_sockets', {}, -1);
    other.metrics.scrape();
    return other.metrics.value('vello_session_sockets');
  };
  const desktop = await openTestDesktop(t, other.base, await account());
  await desktop.hear('hello');
  t.equal(shown(), -1, 'one that never listens leaves nothing');
  const hide = other.endpoint.showCount();
  t.equal(shown(), 1);
  hide();
  t.equal(shown(), -1);
});

t.test('a socket ends with its token, unless the token is renewed over it by the same device', async (t) => {
  const owner = await account();
  const stranger = await account();
  const desktop = await openTestDesktop(t, server.base, owner, { token: testToken(owner, 900) });
  const renewing = await openTestDesktop(t, server.base, stranger, { token: testToken(stranger, 900) });
  desktop.send({ type: 'refresh', access_token: testToken(stranger) });
  renewing.send({ type: 'refresh', access_token: testToken(stranger) });
  t.match(await desktop.hear('error'), { code: 'AUTH_TOKEN_INVALID' });
  t.equal(await desktop.closed, 4401);
  t.match(await renewing.hear('refreshed'), { expires_at: /Z$/ });
  renewing.send({ type: 'time_sync', t0: 5 });
  t.match(await renewing.hear('time_sync'), { t0: 5, server_time: /Z$/ });
});

t.test(
  'a socket that was renewed ends with the sign-in of its new token, no longer with that of its old one',
  async (t) => {
    const owner = await account();
    const desktop = await openTestDesktop(t, server.base, owner, { token: testToken(owner, 900_000, 'first sign-in') });
    desktop.send({ type: 'refresh', access_token: testToken(owner, 900_000, 'second sign-in') });
    await desktop.hear('refreshed');
    server.endpoint.revoke({ familyId: 'first sign-in' });
    desktop.send({ type: 'ping' });
    await desktop.hear('pong');
    server.endpoint.revoke({ familyId: 'second sign-in' });
    t.equal(await desktop.closed, 4401);
  },
);

t.test(
  'a desktop that floods is closed, and welcome again once the store has answered what it was asked',
  async (t) => {
    const owner = await account();
    for (let round = 0; round < 3; round += 1) {
      const desktop = await openTestDesktop(t, server.base, owner);
      for (let count = 0; count < 2_000; count += 1) desktop.send({ type: 'ack', seq: 0 });
      t.equal(await desktop.closed, 1008);
      // 1013 as long as its session is busy with what came before the flood: one message, not all that waited behind it.
      const comeBack = (): Promise<unknown> =>
        openTestDesktop(t, server.base, owner).catch((error: unknown) => {
          if (!String(error).includes('1013')) throw error;
          return comeBack();
        });
      await comeBack();
    }
  },
);

t.test('refusals are HTTP answers, and no token reaches a log', async (t) => {
  const owner = await account();
  const refusals = [
    { headers: { Authorization: 'Bearer nonsense-token' }, code: 'AUTH_TOKEN_INVALID', status: 401 },
    { headers: { Authorization: '' }, code: 'AUTH_TOKEN_MISSING', status: 401 },
    { headers: { 'X-Vello-Signature': 'bad' }, code: 'AUTH_SIGNATURE_INVALID', status: 401 },
    { headers: { 'X-Vello-Sequence': '1.5' }, code: 'AUTH_SIGNATURE_INVALID', status: 401 },
    { headers: { 'X-Vello-Device': '' }, code: 'AUTH_SIGNATURE_INVALID', status: 401 },
  ];
  for (const { headers, code, status } of refusals) {
    await t.rejects(openTestDesktop(t, server.base, owner, { headers }), { code, status, requestId: /./ });
  }
  const unknown = openTestDesktop(t, server.base, owner, { subprotocol: 'mqtt' as never });
  await t.rejects(unknown, { code: 'BAD_REQUEST', status: 400 });
  const logged = JSON.stringify(server.log.lines);
  t.notOk(logged.includes('nonsense-token') || logged.includes(testToken(owner).slice(0, 60)));
});

t.test('the token may come in the query, as contract §7 has it', async (t) => {
  const owner = await account();
  const headers = desktopHeaders(owner);
  const { WebSocket } = await import('ws');
  const ws = new WebSocket(`${server.base.replace('http', 'ws')}/ws/desktop?token=${testToken(owner)}`, {
    headers: { ...headers, Authorization: '' },
  });
  t.teardown(() => ws.terminate());
  const [first] = (await new Promise<unknown[]>((resolve) => ws.once('message', (...all) => resolve(all)))) as [Buffer];
  t.match(JSON.parse(String(first)), { type: 'hello' });
  t.equal(ws.protocol, '', 'no protocol was offered, none is named');
});

t.test('a frame that is not of the protocol gets an error and does no harm', async (t) => {
  const owner = await account();
  const desktop = await openTestDesktop(t, server.base, owner);
  desktop.send({ type: 'ack', seq: -1 });
  t.match(await desktop.hear('error'), { code: 'BAD_REQUEST' });
  desktop.send({ type: 'ping' });
  await desktop.hear('pong');
});

t.test('a stop tells each desktop when to come back, and closes it as restarting', async (t) => {
  const owner = await account();
  const leaving = await startDesktopServer(t, redis.url, database);
  const desktop = await openTestDesktop(t, leaving.base, owner);
  await leaving.drain(5_000);
  t.match(await desktop.hear('drain'), { reconnect_after_ms: 5_000 });
  t.equal(await desktop.closed, 1012);
  await t.rejects(openTestDesktop(t, leaving.base, owner), { code: 'SHUTTING_DOWN', status: 503 });
});

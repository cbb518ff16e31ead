import t from 'tap';
import type { ClientError } from '../../../transports/client/client-error.ts';
import { connectDesktop, type ConnectionHandlers } from '../../../transports/client/desktop-connection.ts';
import { createServerClock } from '../../../transports/client/server-clock.ts';
import { createSettlement } from '../../../transports/postgres/credits/settlement.ts';
import { createDeviceNotifier } from '../../../transports/redis/sessions/device-bus.ts';
import { insertAccount, type Account } from '../../fixtures/account.ts';
import { realClock } from '../../fixtures/api-listener.ts';
import { startDesktopServer, testToken } from '../../fixtures/desktop-server.ts';
import { createMigratedDatabase } from '../../fixtures/migrated-database.ts';
import { startRedis } from '../../fixtures/redis.ts';
import { usageEvent } from '../../fixtures/usage-event.ts';

const database = await createMigratedDatabase(t);
const redis = await startRedis(t);
const server = await startDesktopServer(t, redis.url, database);

async function settle(owner: Account) {
  const event = { ...usageEvent(), ...owner, credits: 3 };
  const [verdict] = await createSettlement(database.system).settle([event]);
  if (verdict?.outcome !== 'settled' || verdict.messageSeq === undefined) throw new Error('not settled');
  const ids = { job_id: verdict.jobId, event_id: event.eventId, session_id: event.sessionId };
  const sums = { credits_deducted: 3, balance: verdict.balance };
  const message = { type: 'job_created', seq: verdict.messageSeq, ...ids, ...sums } as const;
  await createDeviceNotifier(server.redis).notify(owner.deviceId, message);
}

function connect(t: { teardown(fn: () => void): void }, owner: Account, handlers: ConnectionHandlers) {
  const closing = new AbortController();
  t.teardown(() => closing.abort());
  let sequence = 0;
  return connectDesktop(
    {
      url: server.base.replace('http', 'ws'),
      deviceId: owner.deviceId,
      identity: {
        publicKey: '',
        sign: () => 'good',
        nextSequence: async () => (sequence += 1),
        raiseSequence: async () => undefined,
      },
      serverClock: createServerClock(realClock),
      clock: realClock,
      subprotocol: 'vello.v1.json',
      signal: closing.signal,
      token: async () => testToken(owner),
      replace: async () => testToken(owner),
      onRenewed: () => () => undefined,
    },
    handlers,
  );
}

const left = async ({ deviceId }: Account) =>
  (await database.admin`select from device_messages where device_id = ${deviceId}`).length;

t.test('a message whose handler failed is not acknowledged: it comes again, before what follows it', async (t) => {
  const owner = await insertAccount(database.admin);
  await settle(owner);
  await settle(owner);
  const handled: number[] = [];
  let failures = 1;
  let finish: () => void;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const connection = await connect(t, owner, {
    job_created: async ({ seq }) => {
      handled.push(seq);
      if (failures-- > 0) throw new Error('the disk was full');
      if (seq === 2) finish();
    },
  });
  await finished;
  t.strictSame(handled, [1, 1, 2]);
  while ((await left(owner)) > 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(connection.lastSeq, 2);
  await connection.close();
});

t.test('a lost socket is replaced, and nothing comes twice or not at all', async (t) => {
  const owner = await insertAccount(database.admin);
  const handled: number[] = [];
  let wake: () => void = () => undefined;
  const until = (count: number) =>
    new Promise<void>((resolve) => {
      wake = () => {
        if (handled.length >= count) resolve();
      };
      wake();
    });
  let back: () => void;
  const resumed = new Promise<void>((resolve) => (back = resolve));
  const connection = await connect(t, owner, {
    job_created: ({ seq }) => {
      handled.push(seq);
      wake();
    },
    resumed: ({ recovered }) => {
      t.ok(recovered);
      back();
    },
  });
  await settle(owner);
  await until(1);
  server.endpoint.revoke({ deviceId: owner.deviceId });
  await settle(owner);
  await resumed;
  await settle(owner);
  await until(3);
  t.strictSame(handled, [1, 2, 3]);
  await connection.close();
});

t.test('a connection that was taken over says so and stays away', async (t) => {
  const owner = await insertAccount(database.admin);
  let disconnections = 0;
  let end: (error: ClientError) => void;
  const ended = new Promise<ClientError>((resolve) => (end = resolve));
  await connect(t, owner, { ended: (error) => end(error), disconnected: () => (disconnections += 1) });
  const second = await connect(t, owner, {});
  t.match(await ended, { code: 'REPLACED' });
  t.equal(disconnections, 0);
  await second.close();
});

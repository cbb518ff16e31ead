/** What every store of outboxes must do: the one in memory that unit tests use, and the real one. */
import t from 'tap';
import type { DeviceMessages, OutboxOwner } from '../../actors/sessions/device-messages.ts';
import { createDeviceMessages } from '../../transports/postgres/devices/device-messages.ts';
import { createSettlement } from '../../transports/postgres/credits/settlement.ts';
import { insertAccount } from '../fixtures/account.ts';
import { createMemoryDeviceMessages } from '../fixtures/memory-device-messages.ts';
import { createMigratedDatabase } from '../fixtures/migrated-database.ts';
import { usageEvent } from '../fixtures/usage-event.ts';

interface Store {
  readonly messages: DeviceMessages;
  /** A device that has been sent so many messages. */
  readonly owner: (sent: number) => Promise<OutboxOwner>;
}

const inMemory = (): Store => {
  const messages = createMemoryDeviceMessages();
  let count = 0;
  const owner = async (sent: number) => {
    const deviceId = `device ${(count += 1)}`;
    messages.add(deviceId);
    for (let number = 0; number < sent; number += 1) messages.put(deviceId);
    return { userId: `user of ${deviceId}`, deviceId };
  };
  return { messages, owner };
};

const database = await createMigratedDatabase(t);
const inPostgres = (): Store => ({
  messages: createDeviceMessages(database.tenants),
  owner: async (sent) => {
    const account = await insertAccount(database.admin);
    const events = Array.from({ length: sent }, () => ({ ...usageEvent(), ...account, credits: 1 }));
    if (sent > 0) await createSettlement(database.system).settle(events);
    return account;
  },
});

for (const [name, open] of Object.entries({ 'in memory': inMemory, 'in PostgreSQL': inPostgres })) {
  const { messages, owner } = open();
  const numbersOf = async (device: OutboxOwner, after: number, limit = 100) =>
    (await messages.read(device, after, limit)).messages.map(({ seq }) => seq);

  t.test(`${name}: messages come in order, page by page, behind a number`, async (t) => {
    const device = await owner(5);
    t.match(await messages.read(device, 0, 2), {
      epoch: /./,
      lastSeq: 5,
      messages: [{ seq: 1, type: 'job_created', body: { job_id: /./ } }, { seq: 2 }],
    });
    t.strictSame(await numbersOf(device, 2, 2), [3, 4]);
    t.strictSame(await numbersOf(device, 4), [5]);
    t.strictSame(await numbersOf(device, 5), []);
  });

  t.test(`${name}: what is acknowledged is gone, its numbers are not, and repeating it changes nothing`, async (t) => {
    const device = await owner(3);
    const { epoch } = await messages.read(device, 0, 1);
    for (const upto of [2, 2, 1]) await messages.acknowledge(device, upto);
    t.strictSame(await numbersOf(device, 0), [3]);
    await messages.acknowledge(device, 99);
    t.match(await messages.read(device, 0, 10), { epoch, lastSeq: 3, messages: [] });
  });

  t.test(`${name}: one device's acknowledgement is not another's, and an unknown device has no outbox`, async (t) => {
    const [mine, other] = [await owner(1), await owner(1)];
    await messages.acknowledge(mine, 1);
    t.strictSame(await numbersOf(other, 0), [1]);
    const nobody = { ...mine, deviceId: '00000000-0000-7000-8000-000000000000' };
    await t.rejects(messages.read(nobody, 0, 1), { code: 'DEVICE_NOT_FOUND' });
  });
}

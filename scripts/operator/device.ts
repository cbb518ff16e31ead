/** `vello device`: blocks hardware, lifts blocks, lists them. */
import { blockHardware, listBlocks, unblockHardware } from '../../transports/postgres/operators/hardware-blocks.ts';
import { CommandError, UsageError, type Command } from '../command.ts';
import { count } from '../count.ts';
import { readUuid } from './read-uuid.ts';
import { asOperator, type Operator } from './as-operator.ts';
import { textTable } from '../text-table.ts';

export const command: Command = {
  usage: 'device block|unblock <device id> --reason <text> | blocks',
  doc:
    'block    Stops the hardware of a device: no account can be registered on it, its sessions end, its tokens open nothing.\n' +
    'unblock  Lifts that again; the devices sign in anew.\n' +
    'blocks   Every standing block. Those by rule follow VELLO_DEVICES_PER_HARDWARE.',
  flags: { reason: { type: 'string', value: 'text', doc: 'Why, for the audit log.' } },
  operands: 2,
  async run(invocation) {
    const [action, deviceId = ''] = invocation.operands;
    if (action === 'blocks') return asOperator(list);
    if (action !== 'block' && action !== 'unblock') throw new UsageError('Say block, unblock or blocks');
    const reason = invocation.text('reason');
    if (reason === undefined) throw new UsageError('Say why: --reason <text>');
    const task = action === 'block' ? block : unblock;
    const id = readUuid(deviceId);
    return asOperator((operator) => task(operator, id, reason));
  },
};

async function block(operator: Operator, deviceId: string, reason: string): Promise<number> {
  const blocked = await blockHardware(operator.sql, { deviceId, reason, operator: operator.name });
  if (blocked === undefined) throw new CommandError(`There is no device ${deviceId}.`);
  await operator.announce(async ({ grants }) => {
    for (const familyId of blocked.familyIds) await grants.revoke({ familyId });
  });
  console.log(`Hardware ${blocked.hardwareId} is blocked; ${count(blocked.familyIds.length, 'session')} ended.`);
  return 0;
}

async function unblock({ sql, name }: Operator, deviceId: string, reason: string): Promise<number> {
  const lifted = await unblockHardware(sql, { deviceId, reason, operator: name });
  console.log(lifted === 0 ? 'No operator had blocked this hardware.' : 'The block is lifted.');
  return lifted === 0 ? 1 : 0;
}

async function list({ sql }: Operator): Promise<number> {
  const blocks = await listBlocks(sql);
  const rows = blocks.map((b) => [b.hardwareId, b.source, b.at.toISOString(), b.devices, b.blockedBy, b.reason]);
  const heads = ['hardware', 'by', 'since', 'devices', 'who', 'why'];
  console.log(rows.length === 0 ? 'Nothing is blocked.' : textTable(heads, rows));
  return 0;
}

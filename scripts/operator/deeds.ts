/** `vello deeds`: what operators did, newest first (the audit log); of one target also what else was done to it or by it. */
import { readDeeds, readDeedsOn } from '../../transports/postgres/operators/operator-log.ts';
import type { Command } from '../command.ts';
import { asOperator } from './as-operator.ts';
import { textTable } from '../text-table.ts';

const SHOWN = 100;

export const command: Command = {
  usage: 'deeds [target]',
  doc:
    `Shows what operators did, the newest ${SHOWN}: when, who, what, to whom. The log cannot be changed.\n` +
    'With a target, only what concerned it: the id of a user, device, hardware or key, the name of a service, a dead event (stream and entry).\n' +
    'Of a device it shows what was done to its hardware too, and of a device or user what the owner, the device and our rules did in 90 days.',
  flags: {},
  operands: 1,
  run: ({ operands: [target] }) =>
    asOperator(async ({ sql }) => {
      const deeds = target === undefined ? await readDeeds(sql, SHOWN) : await readDeedsOn(sql, SHOWN, target);
      const rows = deeds.map((deed) => [
        deed.at.toISOString(),
        deed.operator,
        deed.action,
        deed.target,
        JSON.stringify(deed.detail),
      ]);
      const nothing = target === undefined ? 'No operator did anything.' : `Nothing is known of ${target}.`;
      console.log(rows.length === 0 ? nothing : textTable(['at', 'who', 'did', 'to', 'detail'], rows));
      return 0;
    }),
};

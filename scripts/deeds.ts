/** `vello deeds`: what operators did, newest first (the audit log). */
import { readDeeds } from '../transports/postgres/operator-log.ts';
import type { Command } from './command.ts';
import { asOperator } from './operator.ts';
import { textTable } from './text-table.ts';

export const command: Command = {
  usage: 'deeds [target]',
  doc: 'Shows what operators did: when, who, what, to whom. The log cannot be changed. With a target, only what concerned it.',
  flags: {},
  operands: 1,
  run: ({ operands: [target] }) =>
    asOperator(async ({ sql }) => {
      const rows = (await readDeeds(sql, 100, target)).map((deed) => [
        deed.at.toISOString(),
        deed.operator,
        deed.action,
        deed.target,
        JSON.stringify(deed.detail),
      ]);
      const heads = ['at', 'operator', 'did', 'to', 'detail'];
      console.log(rows.length === 0 ? 'No operator did anything.' : textTable(heads, rows));
      return 0;
    }),
};

/** `vello signing-key`: rotates the keys that access tokens are signed with, and lists them. */
import { generateSigningKey } from '../../actors/identity/key-ring.ts';
import { listSigningKeys, rotateSigningKeys } from '../../transports/postgres/identity/signing-key-store.ts';
import { UsageError, type Command } from '../command.ts';
import { asOperator, type Operator } from './as-operator.ts';
import { textTable } from '../text-table.ts';

/** By now every process has read the next key, also one that missed its announcement. */
const LEAST_AGE_MS = 120_000;

export const command: Command = {
  usage: 'signing-key rotate|list',
  doc:
    'rotate  The key that was published as next signs from now on, and a new one is published after it. No token becomes\n' +
    '        invalid: the retired key verifies for another hour.\n' +
    'list    The keys and their states.',
  flags: { force: { type: 'boolean', doc: 'Rotate although the next key was published less than two minutes ago.' } },
  operands: 1,
  async run(invocation) {
    switch (invocation.operands[0]) {
      case 'rotate':
        return asOperator((operator) => rotate(operator, invocation.has('force')));
      case 'list':
        return asOperator(list);
      default:
        throw new UsageError('Say rotate or list');
    }
  },
};

async function rotate({ sql, secrets, name }: Operator, force: boolean): Promise<number> {
  const next = (await listSigningKeys(sql)).find((key) => key.state === 'next');
  const ageMs = next === undefined ? Infinity : Date.now() - next.createdAt.getTime();
  if (ageMs < LEAST_AGE_MS && !force) {
    console.log(
      'The next key was published less than two minutes ago; not every process may know it. Wait, or use --force.',
    );
    return 1;
  }
  const kid = await rotateSigningKeys(sql, generateSigningKey(secrets.sealingKey), name);
  console.log(`Key ${kid} signs from now on.`);
  return 0;
}

async function list({ sql }: Operator): Promise<number> {
  const keys = await listSigningKeys(sql);
  console.log(
    textTable(
      ['kid', 'state', 'since'],
      keys.map((key) => [key.kid, key.state, key.createdAt.toISOString()]),
    ),
  );
  return 0;
}

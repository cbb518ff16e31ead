/** `vello credits`: gives credits, shows an account, proves the ledger. */
import { randomUUID } from 'node:crypto';
import { announceBalance } from '../../actors/credits/requests-at-once.ts';
import { auditLedger, giveCredits, readCreditAccount } from '../../transports/postgres/operators/credit-accounts.ts';
import { CommandError, UsageError, type Command, type Invocation } from '../command.ts';
import { count } from '../count.ts';
import { asOperator, type Operator } from './as-operator.ts';
import { readUuid } from './read-uuid.ts';
import { textTable } from '../text-table.ts';

export const command: Command = {
  usage: 'credits grant <user id> <amount> --reason <text> | show <user id> | audit',
  doc:
    'grant  Gives credits; a user who was refused for want of credits is let in again within a second.\n' +
    'show   The balance and the newest entries of the ledger.\n' +
    'audit  Reads the whole ledger and proves that every balance is its sum. Exit code 1 where one is not.',
  flags: {
    reason: { type: 'string', value: 'text', doc: 'Why, for the audit log (grant).' },
    key: { type: 'string', value: 'text', doc: 'Idempotency key: the same key again gives nothing more (grant).' },
  },
  operands: 3,
  async run(invocation) {
    const [action, userId = '', amount = ''] = invocation.operands;
    switch (action) {
      case 'grant':
        return asOperator((operator) => grant(operator, readUuid(userId), wholeAmount(amount), invocation));
      case 'show':
        return asOperator((operator) => show(operator, readUuid(userId)));
      case 'audit':
        return asOperator(audit);
      default:
        throw new UsageError('Say grant, show or audit');
    }
  },
};

async function grant(operator: Operator, userId: string, amount: number, invocation: Invocation): Promise<number> {
  const reason = invocation.text('reason');
  if (reason === undefined) throw new UsageError('Say why: --reason <text>');
  const idempotencyKey = invocation.text('key') ?? randomUUID();
  const given = await giveCredits(operator.sql, { userId, amount, reason, operator: operator.name, idempotencyKey });
  if (given.duplicate) console.log('This key was used before: nothing more was given.');
  await operator.announce(async ({ grants, notifier }) => {
    // Also for a repeat: the announcement of the first time may have been lost.
    if (given.balance > 0) await grants.reinstate(userId);
    await announceBalance(grants, userId, given.balance, given.balance <= 0);
    for (const { deviceId, seq, balance } of given.told) {
      await notifier.notify(deviceId, { type: 'credits_updated', seq, balance });
    }
  });
  console.log(`${userId} has ${count(given.balance, 'credit')}.`);
  return 0;
}

async function show({ sql }: Operator, userId: string): Promise<number> {
  const account = await readCreditAccount(sql, userId, 20);
  if (account === undefined) throw new CommandError(`There is no user ${userId}.`);
  const since = account.suspendedAt === null ? '' : `, refused since ${account.suspendedAt.toISOString()}`;
  console.log(`Balance ${account.balance} after ${count(account.entries, 'entry', 'entries')}${since}\n`);
  const rows = account.newest.map((entry) => [entry.at.toISOString(), entry.kind, entry.delta, entry.balance]);
  console.log(textTable(['at', 'kind', 'credits', 'balance'], rows));
  return 0;
}

async function audit({ sql }: Operator): Promise<number> {
  const { users, entries, broken } = await auditLedger(sql);
  if (broken.length === 0) {
    console.log(
      `Every balance is the sum of its ledger: ${count(users, 'user')}, ${count(entries, 'entry', 'entries')}.`,
    );
    return 0;
  }
  console.log(
    textTable(
      ['user', 'problem'],
      broken.map(({ userId, problem }) => [userId, problem]),
    ),
  );
  console.log(
    `\n${count(broken.length, 'problem')} among ${count(users, 'user')} and ${count(entries, 'entry', 'entries')}.`,
  );
  return 1;
}

function wholeAmount(text: string): number {
  const amount = Number(text);
  if (/^\d{1,12}$/.test(text) && amount > 0) return amount;
  throw new UsageError('The amount is a whole number of credits, at least 1');
}

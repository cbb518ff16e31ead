/** `vello service-key`: issues, rotates, revokes and lists the keys by which services call the api. */
import { type KeyObject } from 'node:crypto';
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generateKeyPair } from '../../actors/crypto/key-pair.ts';
import { vetPublicKey } from '../../actors/crypto/public-key.ts';
import {
  issueServiceKey,
  listServiceKeys,
  revokeServiceKeys,
  rotateServiceKey,
  type ListedServiceKey,
} from '../../transports/postgres/operators/service-keys.ts';
import { CommandError, UsageError, type Command, type Invocation } from '../command.ts';
import { count } from '../count.ts';
import { readUuid } from './read-uuid.ts';
import { asOperator, type Operator } from './as-operator.ts';
import { textTable } from '../text-table.ts';

export const command: Command = {
  usage: 'service-key issue|rotate|revoke <service id> | list [service id]',
  doc:
    'issue   Makes a key pair, or takes --public-key, and lets it sign for the service beside the keys it has.\n' +
    'rotate  The same, and the keys before it stop working after --overlap hours.\n' +
    'revoke  Ends one key (--key) or all; every api process refuses them at once.\n' +
    'list    Every key and whether it works.\n' +
    'A private key is written with mode 0600 to --out, by default keys/<service id>.pem below VELLO_HOME.',
  flags: {
    out: { type: 'string', value: 'file', doc: 'Where the new private key goes (PKCS #8, PEM).' },
    'public-key': {
      type: 'string',
      value: 'key',
      doc: 'A public key made elsewhere, base64url: no private key is written.',
    },
    description: { type: 'string', value: 'text', doc: 'What a new service is.' },
    overlap: { type: 'string', value: 'hours', doc: 'How long the old keys of a rotation still work (24).' },
    key: { type: 'string', value: 'id', doc: 'The one key to revoke.' },
  },
  operands: 2,
  async run(invocation) {
    const [action, serviceId = ''] = invocation.operands;
    if (action === 'list') return asOperator((operator) => list(operator, serviceId === '' ? undefined : serviceId));
    if (!/^[a-z][a-z0-9-]{1,62}$/.test(serviceId)) {
      throw new UsageError('A service id has lower-case letters, digits and hyphens, and begins with a letter');
    }
    switch (action) {
      case 'issue':
      case 'rotate':
        return asOperator((operator) => add(operator, action, serviceId, invocation));
      case 'revoke':
        return asOperator((operator) => revoke(operator, serviceId, invocation));
      default:
        throw new UsageError('Say issue, rotate, revoke or list');
    }
  },
};

async function add(
  operator: Operator,
  action: 'issue' | 'rotate',
  serviceId: string,
  invocation: Invocation,
): Promise<number> {
  const hours = Number(invocation.text('overlap') ?? 24);
  if (!(hours >= 0 && hours <= 24 * 365)) throw new UsageError('--overlap takes hours, from 0 to a year');
  const given = invocation.text('public-key');
  const pair = given === undefined ? generateKeyPair() : undefined;
  const publicKey = vetPublicKey(given ?? pair?.publicKey.toString('base64url') ?? '');
  const key = {
    serviceId,
    description: invocation.text('description') ?? serviceId,
    publicKey,
    operator: operator.name,
  };
  const file = invocation.text('out') ?? join(operator.keyFolder, `${serviceId}.pem`);
  // Before the key is known to the api: a key that cannot be kept must not be able to sign.
  const keep = pair === undefined ? undefined : writePrivateKey(file, pair.privateKey, action === 'rotate');
  const id =
    action === 'issue'
      ? await issueServiceKey(operator.sql, key)
      : await rotateServiceKey(operator.sql, key, hours * 3_600_000);
  keep?.();
  console.log(`Key ${id} may sign for ${serviceId}.`);
  if (pair !== undefined) console.log(`Its private half is in ${file}.`);
  if (action === 'rotate')
    console.log(`The keys before it work for another ${count(hours, 'hour')}; restart the service until then.`);
  return 0;
}

/** Writes beside the file and returns how to put it in its place. @throws CommandError where a key would be lost */
function writePrivateKey(file: string, privateKey: KeyObject, replace: boolean): () => void {
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    if (!replace) {
      writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
      return () => undefined;
    }
    writeFileSync(`${file}.new`, pem, { mode: 0o600 });
    chmodSync(`${file}.new`, 0o600);
    return () => renameSync(`${file}.new`, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new CommandError(`${file} holds a key already. Name another file with --out, or rotate.`);
    throw new CommandError(`${file} cannot be written (${code ?? String(error)}).`);
  }
}

async function revoke(operator: Operator, serviceId: string, invocation: Invocation): Promise<number> {
  const key = invocation.text('key');
  const keyId = key === undefined ? undefined : readUuid(key);
  const revoked = await revokeServiceKeys(operator.sql, { serviceId, keyId, operator: operator.name });
  console.log(revoked === 0 ? `${serviceId} has no such key that works.` : `${count(revoked, 'key')} revoked.`);
  return revoked === 0 ? 1 : 0;
}

async function list({ sql }: Operator, serviceId: string | undefined): Promise<number> {
  const keys = await listServiceKeys(sql, serviceId);
  const rows = keys.map((key) => [key.serviceId, key.keyId, key.createdAt.toISOString(), stateOf(key)]);
  console.log(rows.length === 0 ? 'There are no service keys.' : textTable(['service', 'key', 'since', 'state'], rows));
  return 0;
}

function stateOf({ revokedAt, expiresAt }: ListedServiceKey): string {
  if (revokedAt !== null) return `revoked ${revokedAt.toISOString()}`;
  if (expiresAt === null) return 'works';
  return expiresAt.getTime() <= Date.now()
    ? `expired ${expiresAt.toISOString()}`
    : `works until ${expiresAt.toISOString()}`;
}

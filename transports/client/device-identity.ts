/** Who a desktop is: its Ed25519 key pair and the sequence of its signed requests. On disk, readable by its owner alone, or in memory. */
import { createPrivateKey, randomBytes, sign, type KeyObject } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { generateKeyPair, keyPairOf, type KeyPair } from '../../actors/crypto/key-pair.ts';
import { localError } from './client-error.ts';

export interface DeviceIdentity {
  /** 32 bytes, base64url without padding. */
  readonly publicKey: string;
  /** Signs `text` (RFC 8032); base64url without padding. */
  sign(text: Buffer): string;
  /** A number never returned before, not even by an earlier run: it is stored before it is handed out (contract §3.7). */
  nextSequence(): Promise<number>;
  /** No later sequence will be below `least`: the server's `next_sequence`, after ours was lost with a restored disk. */
  raiseSequence(least: number): Promise<void>;
}

/**
 * Opens the identity kept in `folder`, and creates folder and key on first use. Two processes that start at once end with one key.
 * @throws ClientError `KEY_FILE` where the file is damaged, or readable by others than its owner.
 */
export async function openDeviceIdentity(folder: string): Promise<DeviceIdentity> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw localError('KEY_FILE', `${folder} cannot be made.`, error);
  });
  const keyFile = join(folder, 'device-key.pem');
  const sequenceFile = join(folder, 'device-sequence');
  const pem = (await readIfThere(keyFile)) ?? (await createKeyFile(keyFile));
  if (process.platform !== 'win32' && ((await stat(keyFile)).mode & 0o077) !== 0) {
    throw localError('KEY_FILE', `${keyFile} can be read by other users; its mode must be 0600.`);
  }
  const stored = Number((await readIfThere(sequenceFile)) ?? '1');
  if (!Number.isSafeInteger(stored)) throw localError('KEY_FILE', `${sequenceFile} does not hold a number.`);
  return fromKey(keyPairOf(readKey(pem, keyFile)), stored, (next) => replaceFile(sequenceFile, String(next)));
}

/** An identity that ends with the process: for tests and load generators. */
export function createMemoryIdentity(): DeviceIdentity {
  return fromKey(generateKeyPair(), 1, async () => undefined);
}

function fromKey(
  { publicKey, privateKey }: KeyPair,
  first: number,
  store: (next: number) => Promise<void>,
): DeviceIdentity {
  let next = first;
  // Writes are chained: an older number must never replace a newer one on disk.
  let stored = Promise.resolve();
  const moveTo = (value: number) => {
    next = value;
    stored = stored.catch(() => undefined).then(() => store(value));
    return stored;
  };
  return {
    publicKey: publicKey.toString('base64url'),
    sign: (text) => sign(null, text, privateKey).toString('base64url'),
    nextSequence: async () => {
      const mine = next;
      await moveTo(mine + 1);
      return mine;
    },
    raiseSequence: async (least) => {
      if (least > next) await moveTo(least);
    },
  };
}

function readKey(pem: string, file: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Falls through to the one message below; the cause could quote the file.
  }
  throw localError('KEY_FILE', `${file} does not hold an Ed25519 private key.`);
}

/** Creates the file whole or not at all, and yields to whoever was first: `link` refuses an existing name, `rename` would replace it. */
async function createKeyFile(file: string): Promise<string> {
  const draft = draftOf(file);
  await writeDurably(draft, generateKeyPair().privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
  try {
    await link(draft, file);
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw localError('KEY_FILE', `${file} cannot be created.`, error);
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(file, 'utf8');
}

async function replaceFile(file: string, content: string): Promise<void> {
  const draft = draftOf(file);
  await writeDurably(draft, content);
  await rename(draft, file);
}

/** A name of its own for each write: two that shared a draft could publish each other's content. */
const draftOf = (file: string): string => `${file}.${randomBytes(6).toString('hex')}.draft`;

async function writeDurably(file: string, content: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  // The mode given to `open` is narrowed by the umask and ignored where a stale draft was there.
  await chmod(file, 0o600);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw localError('KEY_FILE', `${file} cannot be read.`, error);
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

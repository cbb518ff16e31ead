import { createPublicKey, verify } from 'node:crypto';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { vetPublicKey } from '../../../actors/crypto/public-key.ts';
import { openDeviceIdentity } from '../../../transports/client/device-identity.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

t.test('a device keeps its key and never repeats a sequence over restarts', async (t) => {
  const folder = join(temporaryFolder(t), 'identity');
  const first = await openDeviceIdentity(folder);
  const taken = await Promise.all([first.nextSequence(), first.nextSequence(), first.nextSequence()]);
  await first.raiseSequence(40);
  taken.push(await first.nextSequence());
  const second = await openDeviceIdentity(folder);
  t.equal(second.publicKey, first.publicKey);
  t.strictSame([...taken, await second.nextSequence()], [1, 2, 3, 40, 41]);
});

t.test('two processes that start at once end with one key', async (t) => {
  const folder = temporaryFolder(t);
  const opened = await Promise.all([1, 2, 3, 4].map(() => openDeviceIdentity(folder)));
  t.equal(new Set(opened.map(({ publicKey }) => publicKey)).size, 1);
});

t.test('the key file is for its owner alone, and one that others can read is refused', async (t) => {
  const folder = temporaryFolder(t);
  await openDeviceIdentity(folder);
  const file = join(folder, 'device-key.pem');
  t.equal((await stat(file)).mode & 0o777, 0o600);
  await chmod(file, 0o644);
  await t.rejects(openDeviceIdentity(folder), { code: 'KEY_FILE' });
});

t.test('a damaged key file is an error that does not quote it', async (t) => {
  const folder = temporaryFolder(t);
  await openDeviceIdentity(folder);
  const file = join(folder, 'device-key.pem');
  const pem = await readFile(file, 'utf8');
  await writeFile(file, pem.slice(0, 60));
  const error = await openDeviceIdentity(folder).catch((caught: unknown) => caught as Error & { code: string });
  t.match(error, { code: 'KEY_FILE' });
  t.notOk('message' in error && error.message.includes(pem.slice(30, 50)));
});

t.test('the server accepts the public key, and signatures verify under it', async (t) => {
  const identity = await openDeviceIdentity(temporaryFolder(t));
  const bytes = vetPublicKey(identity.publicKey);
  t.equal(bytes.length, 32);
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: identity.publicKey }, format: 'jwk' });
  const text = Buffer.from('signed');
  t.ok(verify(null, text, key, Buffer.from(identity.sign(text), 'base64url')));
});

t.test('a folder that cannot be made is a fault of the key file', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  await writeFile(file, '');
  await t.rejects(openDeviceIdentity(join(file, 'identity')), { code: 'KEY_FILE', retryable: false });
});

import t from 'tap';
import { sign } from 'node:crypto';
import { generateKeyPair } from '../../../actors/crypto/key-pair.ts';
import { createSignatureVerifier } from '../../../actors/crypto/signature.ts';

const bytes = (hex: string) => Buffer.from(hex, 'hex');

t.test('verifies the vectors of RFC 8032 §7.1 and refuses each with one bit changed', async (t) => {
  const verifier = createSignatureVerifier();
  const vectors = [
    {
      key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      message: '',
      signature:
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    },
    {
      key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      message: '72',
      signature:
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    },
    {
      key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      message: 'af82',
      signature:
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    },
  ];
  for (const { key, message, signature } of vectors) {
    t.equal(await verifier.verify(bytes(key), bytes(message), bytes(signature)), true);
    for (const at of [0, 31, 32, 63]) {
      const changed = bytes(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      t.equal(await verifier.verify(bytes(key), bytes(message), changed), false, `byte ${at}`);
    }
    t.equal(
      await verifier.verify(bytes(key), Buffer.concat([bytes(message), Buffer.from([0])]), bytes(signature)),
      false,
    );
  }
});

t.test('refuses a malleable signature: S and S + L must not both be valid', async (t) => {
  const { publicKey: key, privateKey } = generateKeyPair();
  const message = Buffer.from('once');
  const signature = sign(null, message, privateKey);
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const little = (buffer: Buffer) => BigInt(`0x${Buffer.from(buffer).reverse().toString('hex')}`);
  const s = little(signature.subarray(32)) + order;
  const altered = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  const verifier = createSignatureVerifier();
  t.equal(await verifier.verify(key, message, signature), true);
  t.equal(await verifier.verify(key, message, Buffer.concat([signature.subarray(0, 32), altered])), false);
});

t.test('refuses signatures and keys of another length without an exception', async (t) => {
  const verifier = createSignatureVerifier();
  const key = bytes('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  for (const length of [0, 63, 65, 128])
    t.equal(await verifier.verify(key, Buffer.alloc(0), Buffer.alloc(length)), false);
  t.equal(await verifier.verify(key.subarray(1), Buffer.alloc(0), Buffer.alloc(64)), false);
});

t.test('keeps a bounded number of imported keys and verifies with forgotten ones all the same', async (t) => {
  const verifier = createSignatureVerifier(2);
  const pairs = Array.from({ length: 5 }, () => generateKeyPair());
  for (const { publicKey: key, privateKey } of [...pairs, ...pairs]) {
    t.equal(await verifier.verify(key, Buffer.from('m'), sign(null, Buffer.from('m'), privateKey)), true);
  }
});

t.test('the first of a turn is answered at once, and those beside it by other threads', async (t) => {
  const verifier = createSignatureVerifier();
  const { publicKey, privateKey } = generateKeyPair();
  const message = Buffer.from('m');
  const signature = sign(null, message, privateKey);
  const answered: string[] = [];
  const verify = (name: string) => verifier.verify(publicKey, message, signature).then(() => answered.push(name));
  for (const turn of ['first', 'second']) {
    answered.length = 0;
    const both = [verify('alone'), verify('beside')];
    for (let tick = 0; tick < 10; tick += 1) await Promise.resolve();
    t.strictSame(answered, ['alone'], `${turn} turn`);
    await Promise.all(both);
    t.strictSame(answered, ['alone', 'beside']);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

import t from 'tap';
import { ed25519 } from '@noble/curves/ed25519.js';
import { generateKeyPair } from '../../../actors/crypto/key-pair.ts';
import { createKeyScreen, vetPublicKey } from '../../../actors/crypto/public-key.ts';

const hex = (text: string) => Buffer.from(text, 'hex').toString('base64url');
const screen = createKeyScreen(2);
const refusal = { code: 'AUTH_KEY_INVALID', status: 422 };

t.test('accepts the public keys of RFC 8032 §7.1 and keys of our own making', async (t) => {
  const vectors = [
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    '278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e',
    'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
  ];
  for (const vector of vectors) t.equal(vetPublicKey(hex(vector)).toString('hex'), vector);
  for (let i = 0; i < 20; i += 1) {
    const x = generateKeyPair().publicKey.toString('base64url');
    t.equal(vetPublicKey(x).toString('base64url'), x);
  }
});

t.test('refuses all points of small order: for them one signature verifies many messages', async (t) => {
  const smallOrder = [
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0000000000000000000000000000000000000000000000000000000000000080',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  ];
  for (const point of smallOrder) t.throws(() => screen.pass(hex(point)), refusal, point);
});

t.test('refuses encodings whose y is not below the prime, and a negative zero x', async (t) => {
  const nonCanonical = [
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0100000000000000000000000000000000000000000000000000000000000080',
    'f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ];
  for (const encoding of nonCanonical) t.throws(() => screen.pass(hex(encoding)), refusal, encoding);
});

t.test('refuses a mixed-order key, which libraries disagree about', async (t) => {
  const torsion = ed25519.Point.fromBytes(
    Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex'),
    true,
  );
  const mixed = ed25519.Point.BASE.multiply(7n).add(torsion);
  t.throws(() => vetPublicKey(Buffer.from(mixed.toBytes()).toString('base64url')), refusal);
});

t.test('refuses what is not 32 bytes in canonical base64url', async (t) => {
  const good = hex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  const offTheCurve = hex('0200000000000000000000000000000000000000000000000000000000000000');
  // The last character of 43 carries two unused bits.
  const bad = ['', good.slice(1), `${good}A`, `${good}=`, `${good.slice(0, -1)}p`, good.replace('1', '+'), offTheCurve];
  for (const encoded of bad) t.throws(() => vetPublicKey(encoded), refusal, encoded);
});

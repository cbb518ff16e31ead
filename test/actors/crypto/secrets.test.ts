import t from 'tap';
import { deriveIdentitySecrets } from '../../../actors/crypto/secrets.ts';
import { seal, unseal } from '../../../actors/crypto/sealed-box.ts';

const master = 'a key of thirty-two characters 01';

t.test('what is derived never changes: it opens what older versions sealed and stored', async (t) => {
  const { refreshKey, sealingKey, fingerprintPepper, rolePasswords } = deriveIdentitySecrets(master);
  t.strictSame(
    {
      refreshKey: refreshKey.toString('hex'),
      sealingKey: sealingKey.toString('hex'),
      fingerprintPepper: fingerprintPepper.toString('hex'),
      ...rolePasswords,
    },
    {
      refreshKey: '4d72a567c5d954c7566f7032ed8cf821c418a2588f06989cf0c535b66b4f8396',
      sealingKey: 'e6a0799b33fe1ba967ff1ae706accf4ad0b281181892b7936dfd55d101291408',
      fingerprintPepper: '2b364379f2174943c6f92a6012f90851392eee9c1226f16eef869042d31efbaf',
      vello_api: 'cOb0Csp5WrqvgI6_c-dNDBA4rsH6BlYRpD86cl82MMQ',
      vello_service: 't59-Q1Kjcq1KlVH8n55CBXFNbVhTrFQSZTAn5Dkka9s',
      vello_operator: 'uaKCqtCEIEhQGr7fVtk2Hjdi3qBfnwV737_iUiJgL2Y',
    },
  );
});

t.test('another master key gives nothing in common', async (t) => {
  const [one, other] = [master, `${master}.`].map((key) => JSON.stringify(Object.values(deriveIdentitySecrets(key))));
  t.not(one, other);
});

t.test('a sealed secret opens for its key and purpose only, whole, and looks different each time', async (t) => {
  const key = Buffer.alloc(32, 1);
  const secret = Buffer.from('secret');
  const sealed = seal(key, 'purpose', secret);
  t.strictSame(unseal(key, 'purpose', sealed), secret);
  t.equal(sealed.length, 12 + secret.length + 16, 'a nonce of 96 bits, as GCM wants it, and a whole tag');
  t.notSame(seal(key, 'purpose', secret), sealed);
  const wrong: Readonly<Record<string, readonly [Buffer, string, Buffer]>> = {
    'another key': [Buffer.alloc(32, 2), 'purpose', sealed],
    'another purpose': [key, 'another', sealed],
    'a changed nonce': [key, 'purpose', changed(sealed, 0)],
    'a changed text': [key, 'purpose', changed(sealed, 12)],
    'a changed tag': [key, 'purpose', changed(sealed, sealed.length - 1)],
    'a shortened one': [key, 'purpose', sealed.subarray(0, -1)],
    'none at all': [key, 'purpose', Buffer.alloc(0)],
  };
  for (const [name, args] of Object.entries(wrong)) t.throws(() => unseal(...args), { code: 'SECRET_KEY_WRONG' }, name);
});

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

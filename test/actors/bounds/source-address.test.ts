import t from 'tap';
import { sourceAddress } from '../../../actors/bounds/source-address.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  '192.0.2.7': [
    '192.0.2.7',
    ' 192.0.2.7 ',
    '192.0.2.7:443',
    '::ffff:192.0.2.7',
    '::FFFF:C000:0207',
    '0:0:0:0:0:ffff:c000:207',
    '::ffff:192.0.2.7%eth0',
  ],
  '192.0.2.8': ['0000:0000:0000:0000:0000:ffff:c000:0208', '[::ffff:192.0.2.8]:80'],
  '2001:db8:0:1::/64': [
    ...[
      '2001:db8:0:1::1',
      '2001:db8:0:1:0:ffff:c000:207',
      '2001:0DB8:0000:0001:ffff:ffff:ffff:ffff',
      '[2001:db8:0:1::5]',
      '"[2001:db8:0:1::5]:443"',
    ],
    ...['2001:db8::1:0:0:0:9', '2001:db8:0:1:0:0:192.0.2.1', '2001:db8:0:1::1%eth0'],
  ],
  '2001:0:0:0::/64': ['2001::ffff:192.0.2.7', '2001:0:0:0:0:ffff:c000:207'],
  '2001:db8:0:2::/64': ['2001:db8:0:2::1'],
  '0:0:0:0::/64': ['::1', '::'],
  'fe80:0:0:0::/64': ['fe80::1%en0'],
};

for (const [name, spellings] of Object.entries(NAMES)) {
  t.test(`${name} is one holder in ${spellings.length} spellings`, async (t) => {
    for (const spelling of spellings) t.equal(sourceAddress(spelling), name, spelling);
  });
}

t.test('a text that is no address is refused, whoever set it', async (t) => {
  const texts = [
    '',
    'unknown',
    '_hidden',
    'localhost',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1::2::3',
    '12345::',
  ];
  for (const text of [...texts, '[::1', '::1]', '1.2.3.4:x', '192.0.2.1, 192.0.2.2', 'x'.repeat(5000)]) {
    t.throws(() => sourceAddress(text), { code: 'BAD_REQUEST' }, text.slice(0, 40));
  }
});

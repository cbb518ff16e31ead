import { createHmac } from 'node:crypto';
import t from 'tap';
import { COMPONENTS, hashFingerprints, type ReportedFingerprints } from '../../../actors/devices/fingerprints.ts';

const one = new Map([[1, Buffer.alloc(32, 1)]]);
const two = new Map([...one, [2, Buffer.alloc(32, 2)]]);
const machine: ReportedFingerprints = { machine_id: 'abcd-1', bios_uuid: 'abcd-1', disk_serial: 'S/N 77' };
const hashOf = (reported: ReportedFingerprints, component: string, peppers = one) =>
  hashFingerprints(reported, peppers)
    .find((hashed) => hashed.component === component)
    ?.hashes[0]?.hash.toString('hex');

t.test('one value under two names gives two hashes, and another pepper others', async (t) => {
  t.not(hashOf(machine, 'machine_id'), hashOf(machine, 'bios_uuid'));
  t.not(hashOf(machine, 'machine_id'), hashOf(machine, 'machine_id', two));
});

t.test('looks up under every pepper, and stores under the newest', async (t) => {
  const [first] = hashFingerprints(machine, two);
  t.strictSame(
    first?.hashes.map((hash) => hash.pepperVersion),
    [2, 1],
  );
  t.equal(first?.hashes[1]?.hash.toString('hex'), hashOf(machine, 'machine_id'));
});

t.test('case, blanks and the order of addresses do not make another machine', async (t) => {
  const shouted = { ...machine, machine_id: ' ABCD-1 ', mac_addresses: ['02:00:00:00:00:02', '02:00:00:00:00:01'] };
  t.equal(hashOf(shouted, 'machine_id'), hashOf(machine, 'machine_id'));
  const list = hashOf(shouted, 'mac_addresses');
  t.equal(hashOf({ ...machine, mac_addresses: '02:00:00:00:00:01, 02:00:00:00:00:02' }, 'mac_addresses'), list);
});

t.test('placeholders do not count towards the three that are needed', async (t) => {
  const hollow = ['Default string', '00000000-0000-0000-0000-000000000000', 'None', 'ff:ff:ff:ff:ff:ff', '....', 'n/a'];
  for (const disk_serial of hollow) {
    t.throws(() => hashFingerprints({ ...machine, disk_serial }, one), { code: 'INVALID_FIELDS' }, disk_serial);
  }
});

const hmac = (text: string) => createHmac('sha256', Buffer.alloc(32, 1)).update(text).digest('hex');

t.test('different values give different hashes, and none ever changes: stored ones are looked up', async (t) => {
  t.not(hashOf(machine, 'machine_id'), hashOf({ ...machine, machine_id: 'abcd-2' }, 'machine_id'));
  const macs = { ...machine, mac_addresses: '3c:22:fb:81:00:01, 02:42:9e:1c:55:aa' };
  t.equal(hashOf(machine, 'machine_id'), hmac('machine_id\0abcd1'));
  t.equal(hashOf(macs, 'mac_addresses'), hmac('mac_addresses\x0002429e1c55aa,3c22fb810001'));
});

t.test('too few components are refused by the field, and what is strong is what the contract says', async (t) => {
  t.throws(() => hashFingerprints({ machine_id: 'abcd-1', bios_uuid: 'abcd-1' }, one), {
    code: 'INVALID_FIELDS',
    extras: { fields: [{ field: '/fingerprints', problem: /at least 3[^;]*$/ }] },
  });
  t.throws(() => hashFingerprints({ machine_id: 'abcd-1', bios_uuid: 'x', disk_serial: 'x1' }, one), {
    code: 'INVALID_FIELDS',
    extras: { fields: [{ field: '/fingerprints', problem: /to identify anything: bios_uuid, disk_serial/ }] },
  });
  t.strictSame(
    Object.entries(COMPONENTS).map(([name, strength]) => `${name} ${strength}`),
    [
      ...['machine_id strong', 'bios_uuid strong', 'baseboard_serial strong', 'disk_serial strong'],
      ...['mac_addresses weak', 'cpu_id weak', 'os_install_id weak'],
    ],
  );
});

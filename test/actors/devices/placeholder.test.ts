import t from 'tap';
import { hashFingerprints, type Component, type ReportedFingerprints } from '../../../actors/devices/fingerprints.ts';

const peppers = new Map([[1, Buffer.alloc(32, 1)]]);
const firm: ReportedFingerprints = {
  cpu_id: 'GenuineIntel-6-158',
  os_install_id: 'a41be772',
  machine_id: '9f27c11e5ab04d',
};
const hashed = (component: Component, value: string) =>
  hashFingerprints({ ...firm, disk_serial: '5VEGK19T', [component]: value }, peppers).find(
    (found) => found.component === component,
  )?.hashes[0]?.hash;

/** Collected from what firmware, drives, hypervisors and failing tools report. */
const PLACEHOLDERS: Readonly<
  Record<'bios_uuid' | 'baseboard_serial' | 'disk_serial' | 'mac_addresses', readonly string[]>
> = {
  bios_uuid: [
    ...['00020003-0004-0005-0006-000700080009', '03000200-0400-0500-0006-000700080009'],
    ...['00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'],
    ...['{00000000-0000-0000-0000-000000000000}', '00000000000000000000000000000000'],
    ...['00000000-0000-0000-0000-000000000001', '01000000-0000-0000-0000-000000000000'],
    ...['00010203-0405-0607-0809-0a0b0c0d0e0f', '03020100-0504-0706-0809-0A0B0C0D0E0F'],
    ...['01234567-89ab-cdef-0123-456789abcdef', '12345678-1234-1234-1234-123456789ABC'],
    ...['12345678-1234-5678-90AB-CDDEEFAABBCC', '11111111-2222-3333-4444-555555555555'],
    ...['11111111-1111-1111-1111-111111111111', '20202020-2020-2020-2020-202020202020'],
    ...['aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', '4C4C4544-0000-2010-8020-80C04F202020'],
    ...['FEFEFEFE-FEFE-FEFE-FEFE-FEFEFEFEFEFE', 'deadbeef-dead-beef-dead-beefdeadbeef'],
    ...['550e8400-e29b-41d4-a716-446655440000', '123e4567-e89b-12d3-a456-426614174000'],
    ...['Not Settable', 'Not Present', 'Not Specified', 'UUID'],
  ],
  baseboard_serial: [
    ...['MB-1234567890', 'To be filled by O.E.M.', 'To Be Filled By O.E.M. by More String', 'TO BE FILLED BY OEM'],
    ...[
      'Default string',
      'default\u200b string',
      'DEFAULT_STRING',
      'Default',
      'System Serial Number',
      'Base Board Serial Number',
    ],
    ...[
      'Baseboard Serial Number',
      'Chassis Serial Number',
      'Board Serial',
      'Type2 - Board Serial Number',
      'Serial Number',
    ],
    ...['SerialNumber', 'S/N', 'None', 'none.', 'NULL', '(null)', 'N/A', 'n.a.', 'Not Applicable', 'Not Available'],
    ...[
      'Unknown',
      'Unknow',
      '<unknown>',
      'INVALID',
      'OEM',
      'O.E.M.',
      'empty',
      'Empty',
      '........',
      '--------',
      '........................',
    ],
    ...[
      '0',
      '00',
      '0000000',
      '00000000000',
      '0x00000000',
      'xxxxxxxxxxxx',
      'XXXXXXX',
      '1234567890',
      '0123456789',
      '123456789',
    ],
    ...[
      '123456789012345',
      '987654321',
      '0987654321',
      'ABCDEFGH',
      'abcdefghijklmno',
      '0123456789ABCDEF',
      'A1B2C3D4',
      'SN12345678',
    ],
    ...['BSN12345678901234567', 'BSS-0123456789', '11111111', '1111111111', '112233445566', '9999999999', 'FFFFFFFF'],
    ...[
      'No Asset Tag',
      'Asset-1234567890',
      'No Serial',
      'Not Provided',
      'TBD',
      'Sample',
      'Engineering Sample',
      'Evaluation Unit',
    ],
    ...['Permission denied', '/sys/class/dmi/id/board_serial: Permission denied', 'bash: dmidecode: command not found'],
    ...[
      "'wmic' is not recognized as an internal or external command",
      'Access is denied.',
      'Error: Access denied',
      'cat: No such file or directory',
    ],
    ...[
      'sudo: a terminal is required to read the password',
      '/dev/mem: Operation not permitted',
      'No Instance(s) Available.',
    ],
    ...['undefined', '[object Object]', 'NaN', 'true', 'Zugriff verweigert', 'null\0'],
  ],
  disk_serial: [
    ...[
      'QM00001',
      'QEMU HARDDISK',
      'VBOX HARDDISK',
      '0000_0000_0000_0000.',
      'AA000000000000000001',
      'eui.0000000000000000',
    ],
    ...[
      '0123456789ABCDE',
      '123456789012',
      '0000000000000000',
      'Virtual HD',
      'drive-0',
      '2020202020202020',
      'Serial',
      'none',
    ],
  ],
  mac_addresses: [
    ...['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '02:00:00:00:00:00', '00-50-56-C0-00-01', '00:50:56:c0:00:08'],
    ...[
      '0A:00:27:00:00:00',
      '20:00:54:55:4e:01',
      '00:11:22:33:44:55',
      '01:23:45:67:89:ab',
      'AA:BB:CC:DD:EE:FF',
      '12:34:56:78:90:ab',
    ],
    ...['02-00-54-55-4E-01', '00:ff:00:ff:00:ff'],
  ],
};

for (const [component, values] of Object.entries(PLACEHOLDERS)) {
  t.test(`none of ${values.length} placeholders for ${component} identifies a machine`, async (t) => {
    for (const value of values) t.equal(hashed(component as Component, value), undefined, JSON.stringify(value));
  });
}

t.test('what was given to one machine identifies it, however odd it looks', async (t) => {
  const real: Readonly<Partial<Record<Component, readonly string[]>>> = {
    bios_uuid: [
      ...[
        '4C4C4544-0043-3510-8052-B4C04F4E4832',
        '03D502E0-045E-05BB-D906-E40700080009',
        'd05099c0-5cc0-0000-0000-000000000000',
      ],
      ...[
        '00000000-0000-0000-0000-b827eb4a91c3',
        '564d6a1e-9f1c-7b34-a2de-5dfc6a0b9e11',
        '8f1f4a0c-44c0-11ee-b5f4-2b7f0c4d1e3a',
      ],
    ],
    baseboard_serial: [
      '/7CZKWTQ/CNWS20098O00AD/',
      '.CN1296341P00B5.',
      'BTWW1234009X',
      'L1HF65E00X9',
      'CZKWTQB',
      'NM0000734156',
      'PF1ABCD2',
    ],
    disk_serial: ['S3Z8NB0K612345A', 'WD-WCC4N0123456', '0025_38B4_11C0_4A1F.', 'VB7e0b2c3f-91d2ab04', 'S/N 77'],
    mac_addresses: ['02:42:9e:1c:55:aa', '3c:22:fb:81:00:01'],
    os_install_id: ['序列号一二', 'Ωμέγα', 'серийный номер', '机器'],
  };
  for (const [component, values] of Object.entries(real)) {
    for (const value of values) t.ok(hashed(component as Component, value), JSON.stringify(value));
  }
});

t.test('braces, dashes, blanks and characters that no screen shows do not make another machine', async (t) => {
  const plain = hashed('bios_uuid', '4c4c45440043351080 52b4c04f4e4832');
  for (const spelled of [
    ...[
      '4C4C4544-0043-3510-8052-B4C04F4E4832',
      '{4C4C4544-0043-3510-8052-B4C04F4E4832}',
      ' 4c4c4544 0043 3510 8052 b4c04f4e4832\n',
    ],
    ...['4c4c4544\u200b-0043-3510-8052-b4c04f4e4832\ufeff', '4c4c4544\u20100043\u20133510-8052-b4c04f4e4832'],
  ]) {
    t.strictSame(hashed('bios_uuid', spelled), plain, JSON.stringify(spelled));
  }
});

t.test('six honest strangers with one careless firmware share nothing that decides', async (t) => {
  const strangers = Array.from({ length: 6 }, (_, n) => ({
    ...firm,
    machine_id: `9f27c11e5ab04d${n}7`,
    bios_uuid: '00020003-0004-0005-0006-000700080009',
    baseboard_serial: 'MB-1234567890',
  }));
  for (const stranger of strangers) {
    t.strictSame(
      hashFingerprints(stranger, peppers).map(({ component }) => component),
      ['machine_id', 'cpu_id', 'os_install_id'],
    );
  }
});

t.test('a part of a text is enough where it says that there is no value', async (t) => {
  const texts = [
    ...['Filled by vendor 3', 'To be filled 2', 'To be set 1', 'set by OEM 1', 'v1 by OEM', 'OEM default 1'],
    ...['Default string 2', 'Tray 1 Serial Number', 'Not Specified 1', 'not avail. 1', 'Not applic. 1'],
    ...['Not settable 1', 'Not provided 1', 'Not defined 1', 'Not Present 1', 'Not installed 1', 'Not implemented 1'],
    ...['Not supported 1', 'No serial 1', 'No asset 1', '1 goes here', 'Unknown-1', 'Invalid 0x22', 'placeholder-7'],
    ...['Permission denied (13)', 'E5 access denied', '5: Access is denied', '127: dmidecode not found'],
    ...[
      'No such file 2',
      '1 not recognized',
      '1 is not recognised',
      'cannot open 2',
      'cannot access 2',
      "can't open 2",
    ],
    ...['Operation not permitted 1', 'must be root 1', 'run as root 1', 'requires root 1', 'root privileges 1'],
    ...['failed to read 5', 'hdparm: error code 5', 'error 5', 'java exception 1', 'no SMBIOS 2', 'no DMI 2'],
    ...['/dev/mem: 13', '0x1 invalid class', '0x2 invalid query', '1: no instance', 'no data 1', 'timed out 30'],
    ...['use wmic 2', 'v1 deprecated', 'usage: lshw -C 1', 'sudo: 1 try'],
  ];
  for (const value of texts) t.equal(hashed('baseboard_serial', value), undefined, value);
});

t.test('lists and patterns, each by a value that nothing else finds', async (t) => {
  const serials = [
    ...['Bitte wenden Sie sich', 'SN00000', 'aaaaa', '1234', 'fedcba98', '456789123456', 'cdef12345678', 'uvwxyzabcd'],
    ...['QM00002', 'no enclosure', '112233445566', 'AA0000000000000012'],
  ];
  for (const value of serials) t.equal(hashed('disk_serial', value), undefined, value);
  const uuids = [
    ...['4c4c4544-0000-2010-8020-80c04f202020', '12345678-1234-5678-1234-56789abcdef0'],
    ...['12345678-1234-5678-9012-123456789abc', '12345678-1234-5678-9abc-cddeefaabbcc'],
    ...['123e4567-e89b-12d3-a456-426655440000', 'badbadba-dbad-badb-adba-dbadbadbadba'],
    ...['00840e55-9be2-d441-a716-446655440000', '000c000d-000e-000f-0010-001100120013'],
    ...['01101001-1001-0110-1001-011001101001', '00000000-0000-0000-0000-000000a1b2c3'],
    ...['ffffffff-ffff-ffff-ffff-fffffffa1b2c', '4a91c3e7-0000-0000-0000-000000000000'],
    ...['4a91c3e7-ffff-ffff-ffff-ffffffffffff'],
  ];
  for (const value of uuids) t.equal(hashed('bios_uuid', value), undefined, value);
  const macs = ['080027000000', '525400123456', '00155d000000', '444553540000', '505054503030', '505054503130'];
  for (const value of [...macs, '024200000000', '0a0027000000']) {
    t.equal(hashed('mac_addresses', value), undefined, value);
    t.ok(hashed('disk_serial', value), `${value} is a list of addresses only`);
  }
});

t.test('near to a pattern is none', async (t) => {
  for (const value of ['1235', 'abce', '123', 'SN00010', 'Seagate Barracuda 7200', '數數數數', 'éé']) {
    t.equal(hashed('os_install_id', value) === undefined, value === '123', value);
  }
  const uuids = ['01221012-0112-2011-2110-012021102012', '000c000d-000e-000f-0010-001100120014'];
  for (const value of uuids) t.ok(hashed('bios_uuid', value), value);
});

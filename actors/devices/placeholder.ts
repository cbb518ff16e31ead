/**
 * Tells an identifier of one machine from what its maker left in the field: a phrase, a pattern, or what a failed command printed. Such
 * a value is shared by thousands of machines whose owners have nothing to do with each other. By rule first; the lists hold what no rule
 * finds. Values in another script than ASCII are never one: no maker's default is. Pure.
 */

/**
 * `compact` is the value as it is hashed: lower case, without blanks, braces and dashes. `component` is the field that it was reported in.
 */
export function isPlaceholder(
  component: string,
  { reported, compact }: { readonly reported: string; readonly compact: string },
): boolean {
  // Fewer bytes tell apart too few machines.
  if (Buffer.byteLength(compact) < SHORTEST_BYTES) return true;
  if (!/[0-9a-z]/.test(compact)) return false;
  return (
    isPattern(compact) ||
    isSentence(reported) ||
    SHARED_VALUES.has(compact) ||
    isSharedUuid(compact) ||
    PHRASE.test(compact) ||
    (component === 'mac_addresses' && SHARED_MACS.has(compact))
  );
}

const SHORTEST_BYTES = 4;

/** Three words and no digit: prose, most likely a program's complaint. */
const isSentence = (reported: string): boolean => /^\D+$/.test(reported) && /\S\s+\S+\s+\S/.test(reported);

/** One character or one short group over and over, or digits that only count: nothing that was given to one machine. */
function isPattern(compact: string): boolean {
  if (/^(.{2,16})\1+$/.test(compact)) return true;
  // `SN000000`, `MB-1234567890`: a short label before a pattern.
  const number = compact.replace(/^[a-z]{1,8}(?=\d)/, '');
  return [compact, number].some(
    (text) => /^(.)\1{3,}$/.test(text) || /^0{12,}.{1,4}$/.test(text) || isRun(text.replaceAll(/(.)\1+/g, '$1')),
  );
}

/** Whether each character follows on the one before it, up or down; behind the last comes the first again. */
const isRun = (text: string): boolean => text.length >= 4 && RUNS.some((run) => run.includes(text));

const repeated = (run: string): string => run.repeat(3);
const backwards = (run: string): string => Array.from(run).reverse().join('');
const RUNS = ['0123456789', '123456789', '0123456789abcdef', '123456789abcdef', 'abcdefghijklmnopqrstuvwxyz']
  .map(repeated)
  .flatMap((run) => [run, backwards(run)]);

/** A UUID is a pattern in either of the byte orders in which firmware stores it (SMBIOS 2.6 turned the first three fields round). */
function isSharedUuid(compact: string): boolean {
  if (!/^[0-9a-f]{32}$/.test(compact)) return false;
  const turned = turnRound(compact);
  return [compact, turned].some((uuid) => SHARED_UUIDS.has(uuid) || isCounting(uuid) || hasFewDigits(uuid));
}

function turnRound(uuid: string): string {
  const field = (from: number, to: number) => (uuid.slice(from, to).match(/../g) ?? []).reverse().join('');
  return field(0, 8) + field(8, 12) + field(12, 16) + uuid.slice(16);
}

/** Words, and with them bytes, that go up evenly: 00020003-0004-0005-0006-000700080009, 00010203-0405-.... */
function isCounting(uuid: string): boolean {
  const words = (uuid.match(/.{4}/g) ?? []).map((word) => parseInt(word, 16));
  const [first = 0, second = 0] = words;
  return words.every((word, index) => word === first + index * (second - first));
}

/** One or two different digits in 32 do not come about by chance; nor do values of which all but the last few are zero or f. */
function hasFewDigits(uuid: string): boolean {
  return new Set(uuid).size <= 2 || /^(0{24,}|f{24,})/.test(uuid) || /(0{24,}|f{24,})$/.test(uuid);
}

const SHARED_UUIDS = new Set([
  // A Dell without a service tag.
  '4c4c454400002010802080c04f202020',
  // From documentation and samples, copied into firmware.
  '12345678123412341234123456789abc',
  '1234567812345678123456789abcdef0',
  '12345678123456789012123456789abc',
  '12345678123456789abccddeefaabbcc',
  '123456781234567890abcddeefaabbcc',
  '123e4567e89b12d3a456426614174000',
  '123e4567e89b12d3a456426655440000',
  '550e8400e29b41d4a716446655440000',
  // Server boards and desktops that were found with it in numbers.
  'badbadbadbadbadbadbadbadbadbadba',
]);

/** Interfaces that virtual networks and tunnels make, with the same address on every machine. */
const SHARED_MACS = new Set([
  '020054554e01', // Microsoft's IPv6 tunnels, in both spellings that are met
  '200054554e01',
  '1234567890ab',
  '005056c00001', // VMware's host adapters
  '005056c00008',
  '0a0027000000', // VirtualBox' host adapter
  '020000000000', // what mobile systems say instead of the address
  '080027000000',
  '525400123456', // QEMU's default
  '00155d000000',
  '444553540000', // Windows' dial-up adapters
  '505054503030', // Windows' tunnels
  '505054503130',
  '024200000000',
]);

/** Texts of firmware and tools, whole, as they stand after everything but letters and digits was taken out. */
const SHARED_VALUES = new Set(
  `
  none null nil nan nana na notavailable notapplicable notspecified notset notpresent notprovided notdefined undefined
  unspecified unknow unknown unavailable empty blank missing invalid error default defaultstring defaultvalue
  standard oem oemstring oemserial generic genericserial noname placeholder example sample test testing dummy serial serialnumber
  serialno sn nosn noserial noserialnumber nosuchfile systemserial systemserialnumber sysserialnumber systemproductname
  systemversion systemmanufacturer systemname systemuuid baseboard baseboardserial baseboardserialnumber boardserial
  boardserialnumber boardsn mbserial mbsn motherboard motherboardserialnumber mainboard mainboardserialnumber
  chassisserial chassisserialnumber assettag assettag1234567890 noassettag noassetinformation noassettagspecified noenclosure
  biosserial biosuuid uuid guid machineid deviceid hostid hwid productid productname disk disk0 diskserial diskserialnumber
  harddisk vboxharddisk qemuharddisk qemuqemuharddisk vmwarevirtualdisk virtualdisk virtualhd msftvirtualdisk qm00001 qm00002
  qm00003 qm00004 qm00005 vb0000000000000000 drive0 nvme0 physicaldrive0 physicaldisk0 sda hda vda vda1 rootdisk
  zugriffverweigert accesrefuse accesodenegado oemtobefilledbyoem tobefilled tobefilledbyoem tobefilledbyoemstring tobefilledbymanufacturer
  tobefilledbyvendor tobeset tobesetbyoem tobedetermined tbd tba todo fillme fillmein filledbyoem filledbymanufacturer
  evaluationunit engineeringsample qualificationsample prototype preproduction notforsale
  empty10 empty12 psnull eval evalboard intelcorporation intel amd asus asustekcomputerinc gigabyte gigabytetechnologycoltd
  msi microstarinternationalcoltd asrock dell dellinc hp hewlettpackard lenovo lenovoproduct invalidvalue
  type2boardserialnumber type2boardserial type1serialnumber ambaseboardserial baseboardserial0 bsn12345678901234567
  btwwxxxxxxxxx bsn12345678901234567890 mbxxxxxxxxx mmmmmmmm phcore sernum0 123abc 12345abcde abc123 a1b2c3d4 a1b2c3d4e5f6 abcd1234 abc12345
  asd123 qwerty qwertyuiop asdfgh asdfghjkl password changeme 1a2b3c4d 1a2b3c4d5e6f deadbeef cafebabe feedface
  deadbeefcafebabe baadf00d 8badf00d c0ffee c0ffeec0ffee badc0ffee fillbyoem 0x00000000 0x00000001 0x0 0x
  true false yes no ok uninitialized virtualmachine vmware virtualbox kvm qemu hyperv xen bochs parallels
  00000000000000000000000000000001 localhost local host pc desktop computer mypc
  serialnumbergoeshere insertserialhere yourserialhere xxxxxx notreported notsupported notsettable hidden redacted masked private
  objectobject undefinednull
  `.split(/\s+/),
);

/** Parts of what makers write who mean "nothing", and of what tools print instead of a value. */
const PHRASE = new RegExp(
  [
    ...['filledby', 'tobefilled', 'tobeset', 'setbyoem', 'byoem$', 'oemdefault', 'defaultstring', 'serialnumber$'],
    ...[
      'notspecified',
      'notavail',
      'notapplic',
      'notsettable',
      'notprovided',
      'notdefined',
      'notpresent',
      'notinstalled',
    ],
    ...['notimplemented', 'notsupported', 'noserial', 'noasset', 'goeshere', 'unknown', '^invalid', 'placeholder'],
    // What a command said, in place of the value, where it failed.
    ...['permissiondenied', 'accessdenied', 'accessisdenied', 'notfound', 'nosuchfile', 'notrecognized'],
    ...[
      'isnotrecognised',
      'cannotopen',
      'cannotaccess',
      'cantopen',
      'operationnotpermitted',
      'mustberoot',
      'runasroot',
    ],
    ...[
      'requiresroot',
      'rootprivileges',
      'failedto',
      'errorcode',
      '^error',
      'exception',
      'nosmbios',
      'nodmi',
      '^devmem',
    ],
    ...['invalidclass', 'invalidquery', 'noinstance', 'nodata', 'timedout', 'usewmic', 'deprecated', 'usage', '^sudo'],
  ].join('|'),
);

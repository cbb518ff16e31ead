import t from 'tap';
import { judgeHardware, type HardwareGroup } from '../../../actors/devices/hardware-verdict.ts';

const group = (more: Partial<HardwareGroup> = {}): HardwareGroup => ({
  hardwareId: 'hardware',
  components: ['machine_id', 'disk_serial'],
  accounts: 1,
  grants: 1,
  blockedByOperator: false,
  ...more,
});
const judge = (...groups: HardwareGroup[]) => judgeHardware({ own: undefined, groups, pairs: [] }, 5);

t.test('grants go 5000, 1000, 500, 100 and then stay at 100', async (t) => {
  t.match(judge(), { verdict: 'new', creditsOffer: 5000, grantOrdinal: 1 });
  const offers = [1, 2, 3, 4, 5, 50].map((grants) =>
    judgeHardware({ own: undefined, groups: [group({ grants })], pairs: [] }, 100),
  );
  t.strictSame(
    offers.map((verdict) => verdict.creditsOffer),
    [1000, 500, 100, 100, 100, 100],
  );
});

t.test('two strong components of one machine collide; one of each of two machines does not', async (t) => {
  t.match(judge(group()), { verdict: 'collision', hardwareId: 'hardware' });
  t.match(judge(group({ components: ['machine_id', 'cpu_id', 'os_install_id', 'mac_addresses'] })), { verdict: 'new' });
  const [a, b] = [
    group({ hardwareId: 'a', components: ['machine_id'] }),
    group({ hardwareId: 'b', components: ['disk_serial'] }),
  ];
  const verdict = judge(a, b);
  t.match(verdict, { verdict: 'new', hardwareId: undefined });
  t.strictSame(
    verdict.matches.map((match) => match.component),
    ['disk_serial', 'machine_id'],
    'but both are recorded',
  );
});

t.test('the harshest history counts where parts of two machines stand in one case', async (t) => {
  const light = group({ hardwareId: 'light' });
  const heavy = group({ hardwareId: 'heavy', components: ['bios_uuid', 'baseboard_serial'], accounts: 3, grants: 3 });
  t.match(judge(light, heavy), { hardwareId: 'heavy', creditsOffer: 100 });
  t.match(judge(heavy, light), { hardwareId: 'heavy', creditsOffer: 100 });
  const blocked = { ...light, blockedByOperator: true };
  for (const groups of [
    [heavy, blocked],
    [blocked, heavy],
  ]) {
    t.match(judge(...groups), { verdict: 'blocked', blockedBy: 'operator', hardwareId: 'light' });
  }
  const [a, b] = [group({ hardwareId: 'a' }), group({ hardwareId: 'b' })];
  t.equal(judge(b, a).hardwareId, judge(a, b).hardwareId, 'alike, they have an order of their own');
});

t.test('blocks above the number of accounts, and whatever an operator blocked', async (t) => {
  t.match(judge(group({ accounts: 4, grants: 4 })), { verdict: 'collision' });
  t.match(judge(group({ accounts: 5, grants: 5 })), { verdict: 'blocked', blockedBy: 'rule', creditsOffer: 0 });
  const own = { hardwareId: 'hardware', blockedByOperator: false };
  t.match(judgeHardware({ own, groups: [group({ accounts: 9 })], pairs: [] }, 5), {
    verdict: 'known',
    creditsOffer: 0,
  });
  t.match(judgeHardware({ own: { ...own, blockedByOperator: true }, groups: [], pairs: [] }, 5), {
    verdict: 'blocked',
  });
});

t.test('a key that is known elsewhere does not open hardware that an operator blocked', async (t) => {
  const own = { hardwareId: 'its own', blockedByOperator: false };
  const blocked = group({ blockedByOperator: true });
  const verdict = judgeHardware({ own, groups: [blocked], pairs: [] }, 5);
  t.match(verdict, { verdict: 'blocked', blockedBy: 'operator', hardwareId: 'its own' });
  const oneMatch = group({ blockedByOperator: true, components: ['disk_serial', 'cpu_id'] });
  t.match(
    judgeHardware({ own, groups: [oneMatch], pairs: [] }, 5),
    { verdict: 'known' },
    'a disk that moved blocks nobody',
  );
});

t.test(
  'a pair of values that stands beside many machine ids proves nothing; a third component still does',
  async (t) => {
    const board = group({ components: ['bios_uuid', 'baseboard_serial'], accounts: 5, grants: 5 });
    const pair = (machineIds: number) => [{ components: ['bios_uuid', 'baseboard_serial'] as const, machineIds }];
    const judged = (machineIds: number, one: HardwareGroup) =>
      judgeHardware({ own: undefined, groups: [one], pairs: pair(machineIds) }, 6).verdict;
    t.equal(judged(2, board), 'collision');
    t.equal(judged(3, board), 'new');
    t.equal(judged(3, group({ components: ['bios_uuid', 'baseboard_serial', 'disk_serial'] })), 'collision');
    t.equal(judged(3, group({ components: ['bios_uuid', 'machine_id'] })), 'collision');
    t.equal(judged(3, group({ components: ['bios_uuid', 'disk_serial'] })), 'collision', 'another pair');
  },
);

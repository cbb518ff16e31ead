import t from 'tap';
import { ed25519 } from '@noble/curves/ed25519.js';
import {
  DEVICE,
  makeDesktop,
  prove,
  register,
  startIdentityServer,
  type Desktop,
} from '../fixtures/identity-server.ts';

const strong = ({ fingerprints }: Desktop, ...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, fingerprints[name] ?? '']));

t.test('a hundred parallel registrations of one device make one device, one account and one grant', async (t) => {
  const server = await startIdentityServer(t);
  const desktop = makeDesktop();
  const { token } = await prove(server, desktop);
  const body = { fingerprints: desktop.fingerprints, device: DEVICE };
  const attempt = () => server.call('POST', '/api/devices/register', { token, body });
  const replies = await Promise.all(Array.from({ length: 100 }, attempt));
  t.equal(replies.filter((reply) => reply.status === 201).length, 1);
  t.equal(replies.filter((reply) => reply.status === 200).length, 99);
  t.equal(new Set(replies.map((reply) => reply.body['device_id'])).size, 1);
  const [row] = await server.database.admin`select (select count(*)::int from users) as users,
    (select count(*)::int from devices) as devices, (select count(*)::int from credit_grants) as grants,
    (select sum(delta)::int from credit_transactions) as credits`;
  t.strictSame({ ...row }, { users: 1, devices: 1, grants: 1, credits: 5000 });
});

t.test('one machine under many keys at once gets exactly the progressive grants, then it is blocked', async (t) => {
  const server = await startIdentityServer(t);
  const first = makeDesktop();
  const clones = [first, ...Array.from({ length: 11 }, () => makeDesktop(strong(first, 'machine_id', 'disk_serial')))];
  const replies = await Promise.all(clones.map((clone) => register(server, clone)));
  const granted = replies.filter((reply) => reply.status === 201).map((reply) => reply.body.credits.granted);
  t.strictSame(
    granted.toSorted((a, b) => b - a),
    [5000, 1000, 500, 100, 100],
  );
  const blocked = replies.filter((reply) => reply.status !== 201);
  t.equal(blocked.length, 7);
  t.ok(
    blocked.every(
      (reply) => reply.status === 409 && (reply.body as object as { code: string }).code === 'DEVICE_BLOCKED',
    ),
  );
  const [row] = await server.database.admin`select
    (select array_agg(ordinal order by ordinal) from credit_grants) as ordinals,
    (select count(*)::int from fingerprint_collisions where outcome = 'collision') as collisions,
    (select count(*)::int from device_blocks where source = 'rule') as blocks`;
  t.strictSame({ ...row }, { ordinals: [1, 2, 3, 4, 5], collisions: 4, blocks: 1 });
});

t.test('validate tells what a machine amounts to, and changes nothing', async (t) => {
  const server = await startIdentityServer(t);
  const owner = makeDesktop({ os_install_id: 'installation-1' });
  const validate = async (desktop: Desktop) => {
    const { token } = await prove(server, desktop);
    const { status, body } = await server.call('POST', '/api/devices/validate', {
      token,
      body: { fingerprints: desktop.fingerprints },
    });
    return { status, body };
  };
  t.match(await validate(owner), { status: 200, body: { verdict: 'new', matches: [], credits_offer: 5000 } });
  await register(server, owner);
  t.match(await validate(owner), { body: { verdict: 'known', credits_offer: 0 } });

  const twin = makeDesktop(strong(owner, 'bios_uuid', 'baseboard_serial'));
  const collision = await validate(twin);
  t.match(collision.body, { verdict: 'collision', credits_offer: 1000 });
  t.strictSame(collision.body['matches'], [
    { component: 'baseboard_serial', strength: 'strong' },
    { component: 'bios_uuid', strength: 'strong' },
    { component: 'cpu_id', strength: 'weak' },
  ]);

  const neighbour = makeDesktop({ os_install_id: 'INSTALLATION-1 ' });
  t.match(await validate(neighbour), { body: { verdict: 'new', credits_offer: 5000 } }, 'weak matches change nothing');
  t.match((await register(server, neighbour)).body.credits, { granted: 5000 });
  const one = makeDesktop(strong(owner, 'disk_serial'));
  t.match((await register(server, one)).body.credits, { granted: 5000 }, 'a disk that moved is no collision');
  const [row] = await server.database
    .admin`select count(*)::int as weak from fingerprint_collisions where outcome = 'weak_match'`;
  t.equal(row?.['weak'], 2, 'but it is recorded');

  await server.database.admin`insert into device_blocks (id, hardware_id, source, reason, blocked_by)
    select gen_random_uuid(), hardware_id, 'operator', 'abuse', 'test' from device_fingerprints
    where component = 'bios_uuid' order by seen_at limit 1`;
  t.match(await validate(twin), { body: { verdict: 'blocked', credits_offer: 0 } });
  t.match(await register(server, twin), { status: 409, body: { code: 'DEVICE_BLOCKED' } });
});

t.test('placeholders of careless firmware identify nobody, and raw values are stored nowhere', async (t) => {
  const server = await startIdentityServer(t);
  const hollow = {
    baseboard_serial: 'To be filled by O.E.M.',
    bios_uuid: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    disk_serial: '0000',
  };
  const poor = makeDesktop(hollow);
  const refused = await register(server, poor);
  t.match(refused, { status: 422, body: { code: 'INVALID_FIELDS', errors: [{ field: '/fingerprints' }] } });

  const desktop = makeDesktop();
  await register(server, desktop);
  const [row] = await server.database.admin`select string_agg(f::text, ' ') as stored from device_fingerprints f`;
  const secret = desktop.fingerprints['machine_id'] ?? '';
  t.notMatch(String(row?.['stored']), secret);
  t.notMatch(String(row?.['stored']), Buffer.from(secret).toString('hex'));
});

t.test(
  'hardware is recognised across a rotation of the pepper, and is stored under the new one as it comes back',
  async (t) => {
    const server = await startIdentityServer(t);
    const owner = makeDesktop();
    await register(server, owner);
    const rotated = await startIdentityServer(t, { beside: server, laterPeppers: new Map([[2, Buffer.alloc(32, 9)]]) });
    const twin = makeDesktop(strong(owner, 'machine_id', 'disk_serial'));
    t.match((await register(rotated, twin)).body.credits, { granted: 1000 });
    t.equal((await register(rotated, owner)).status, 200);
    const versions = await server.database.admin`
    select distinct pepper_version as version from device_fingerprints f join device_keys k using (device_id)
    where k.public_key = ${Buffer.from(owner.publicKey, 'base64url')} order by 1`;
    t.strictSame([...versions], [{ version: 1 }, { version: 2 }]);
  },
);

t.test('a mixed-order key gets no account, although its owner can sign', async (t) => {
  const server = await startIdentityServer(t);
  const torsion = Buffer.from('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'hex');
  const mixed = ed25519.Point.BASE.multiply(7n).add(ed25519.Point.fromBytes(torsion, true)).toBytes();
  const bootstrap = server.identity.tokens.issueBootstrap(Buffer.from(mixed).toString('base64url'), undefined);
  const body = { fingerprints: makeDesktop().fingerprints, device: DEVICE };
  const reply = await server.call('POST', '/api/devices/register', { token: bootstrap, body });
  t.match(reply, { status: 422, body: { code: 'AUTH_KEY_INVALID' } });
});

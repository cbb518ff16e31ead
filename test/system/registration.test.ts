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
    const rotated = await startIdentityServer(t, { beside: server, laterPeppers: new Map([[2, 'a later pepper']]) });
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
  const bootstrap = server.tokens.issueBootstrap(Buffer.from(mixed).toString('base64url'), undefined);
  const body = { fingerprints: makeDesktop().fingerprints, device: DEVICE };
  const reply = await server.call('POST', '/api/devices/register', { token: bootstrap, body });
  t.match(reply, { status: 422, body: { code: 'AUTH_KEY_INVALID' } });
});

t.test('registering again with other hardware does not make the first hardware unknown', async (t) => {
  const server = await startIdentityServer(t);
  const desktop = makeDesktop();
  t.match((await register(server, desktop)).body.credits, { granted: 5000 });
  t.equal((await register(server, { ...desktop, fingerprints: makeDesktop().fingerprints })).status, 200);
  const again = makeDesktop(desktop.fingerprints);
  t.match((await register(server, again)).body.credits, { granted: 1000 });

  await server.database.admin`insert into device_blocks (id, hardware_id, source, reason, blocked_by)
    select gen_random_uuid(), hardware_id, 'operator', 'abuse', 'test' from devices limit 1`;
  t.match(await register(server, makeDesktop(desktop.fingerprints)), { status: 409, body: { code: 'DEVICE_BLOCKED' } });
});

t.test(
  'of a device that reports other hardware each time, the first values are kept and no more than a few',
  async (t) => {
    const server = await startIdentityServer(t);
    const desktop = makeDesktop();
    const { token } = await prove(server, desktop);
    const registerAs = (fingerprints: object) =>
      server.call('POST', '/api/devices/register', { token, body: { fingerprints, device: DEVICE } });
    await registerAs(desktop.fingerprints);
    for (let n = 0; n < 40; n += 1) await registerAs(makeDesktop().fingerprints);
    const [row] = await server.database
      .admin`select count(*)::int as kept from device_fingerprints where component = 'machine_id'`;
    t.equal(row?.['kept'], 32);
    t.match((await register(server, makeDesktop(desktop.fingerprints))).body.credits, { granted: 1000 });
  },
);

t.test('a key that is known elsewhere does not open hardware that an operator blocked', async (t) => {
  const server = await startIdentityServer(t);
  const blocked = makeDesktop();
  await register(server, blocked);
  await server.database.admin`insert into device_blocks (id, hardware_id, source, reason, blocked_by)
    select gen_random_uuid(), hardware_id, 'operator', 'abuse', 'test' from devices limit 1`;
  const visitor = makeDesktop();
  t.equal((await register(server, visitor)).status, 201);
  const carried = { ...visitor, fingerprints: blocked.fingerprints };
  t.match(await register(server, carried), { status: 409, body: { code: 'DEVICE_BLOCKED' } });
  t.equal((await register(server, visitor)).status, 200, 'on its own hardware it is welcome');
});

t.test('six honest strangers with one careless firmware, listed or not, all get an account', async (t) => {
  const server = await startIdentityServer(t);
  const careless = [
    { bios_uuid: '00020003-0004-0005-0006-000700080009', baseboard_serial: 'MB-1234567890' },
    // Not on any list: what tells is that it stands beside many machine ids.
    { bios_uuid: '7c1e9a40-52d3-4f88-9b7e-3d0a1c55e2f6', baseboard_serial: 'ZX81-K4417' },
  ];
  for (const firmware of careless) {
    const granted = [];
    for (let n = 0; n < 8; n += 1) granted.push((await register(server, makeDesktop(firmware))).body.credits.granted);
    t.equal(granted.at(-1), 5000, `the last: ${granted.join(', ')}`);
    t.ok(
      granted.every((credits) => credits > 0),
      'none was locked out',
    );
  }
});

t.test('signing in again ends the older session of the device', async (t) => {
  const server = await startIdentityServer(t);
  const desktop = makeDesktop();
  const first = await register(server, desktop);
  const second = await register(server, desktop);
  const refresh = (token: string) => server.call('POST', '/api/auth/refresh', { body: { refresh_token: token } });
  t.match(await refresh(first.body.refresh_token), { status: 401, body: { code: 'AUTH_REFRESH_INVALID' } });
  t.equal((await refresh(second.body.refresh_token)).status, 200);
  const logout = () => server.call('POST', '/api/auth/logout', { token: first.body.access_token });
  let reply = await logout();
  while (reply.status === 204) reply = await logout();
  t.match(reply, { status: 401, body: { code: 'AUTH_TOKEN_INVALID' } });
  const sessions = await server.database.admin`select end_reason from sessions order by started_at`;
  t.strictSame([...sessions], [{ end_reason: 'superseded' }, { end_reason: null }]);
});

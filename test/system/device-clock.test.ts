import t from 'tap';
import { createHash } from 'node:crypto';
import { sourceAddress } from '../../actors/bounds/source-address.ts';
import { webSocketText } from '../../actors/crypto/signed-texts.ts';
import {
  makeDesktop,
  prove,
  register,
  signBy,
  startIdentityServer,
  type Desktop,
} from '../fixtures/identity-server.ts';

const server = await startIdentityServer(t);
const { auth: deviceAuth } = server.surface;
const { admin } = server.database;

async function signedIn() {
  const desktop = makeDesktop();
  const { access_token: token, device_id: deviceId } = (await register(server, desktop)).body;
  const { nextSequence } = await prove(server, desktop);
  return { desktop, token, deviceId, sequence: nextSequence };
}

interface Signed {
  readonly desktop: Desktop;
  readonly token: string;
  readonly deviceId: string;
  readonly sequence: number;
  /** Device clock minus server clock. */
  readonly offSeconds?: number;
}

function sign({ desktop, token, deviceId, sequence, offSeconds = 0 }: Signed) {
  const timestamp = Math.floor(Date.now() / 1000) + offSeconds;
  const tokenSha256 = createHash('sha256').update(token).digest('hex');
  const signature = signBy(desktop, webSocketText({ deviceId, timestamp, sequence, tokenSha256 }));
  return { token, deviceId, timestamp, sequence, signature };
}

const present = async (handshake: ReturnType<typeof sign>) =>
  deviceAuth.verifyHandshake(await deviceAuth.verifyAccess(handshake.token, sourceAddress('192.0.2.1')), handshake);

t.test('a desktop two hours off, either way, registers and connects, and its skew is remembered', async (t) => {
  for (const offSeconds of [7190, -7190]) {
    const device = await signedIn();
    const skewMs = await present(sign({ ...device, offSeconds }));
    t.ok(Math.abs(skewMs - offSeconds * 1000) < 3000, `${skewMs} ms`);
    const [row] = await admin`select clock_skew_ms::float8 as skew from devices where id = ${device.deviceId}`;
    t.equal(row?.['skew'], skewMs);
  }
});

t.test('a desktop two hours and a minute off is told so, with the time', async (t) => {
  for (const offSeconds of [7260, -7260]) {
    const device = await signedIn();
    await t.rejects(present(sign({ ...device, offSeconds })), {
      code: 'AUTH_CLOCK_SKEW',
      extras: { members: { server_time: /^\d{4}-\d\d-\d\dT/ } },
    });
  }
});

t.test('a signed request is taken once, also when it is presented a hundred times at once', async (t) => {
  const device = await signedIn();
  const handshake = sign(device);
  const results = await Promise.allSettled(Array.from({ length: 100 }, () => present(handshake)));
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const result of results)
    if (result.status === 'rejected') t.match(result.reason, { code: 'AUTH_SEQUENCE_REPLAYED' });
  await t.resolves(present(sign({ ...device, sequence: device.sequence + 1 })), 'the device itself is not punished');
});

t.test('a replay is refused after Redis lost everything', async (t) => {
  const device = await signedIn();
  const handshake = sign(device);
  await present(handshake);
  await server.redisCommand('DEL', `vello:sequence:${device.deviceId}`);
  await t.rejects(present(handshake), { code: 'AUTH_SEQUENCE_REPLAYED' });
});

t.test('a cloned machine is noticed at its first request, recorded, and both must authenticate again', async (t) => {
  const device = await signedIn();
  await present(sign(device));
  // The clone continues from the same state, at another second of its own clock.
  await t.rejects(present(sign({ ...device, offSeconds: 1 })), { code: 'AUTH_REAUTHENTICATE' });
  const [row] = await admin`select must_reauthenticate as halted, (select count(*)::int from auth_events
    where kind = 'clone_suspected' and device_id = d.id) as events from devices d where id = ${device.deviceId}`;
  t.match(row, { halted: true, events: 1 });
  const until = Date.now() + 1000;
  let refused: unknown;
  while (refused === undefined && Date.now() < until) {
    refused = await deviceAuth.verifyAccess(device.token, sourceAddress('192.0.2.1')).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
  t.match(refused, { code: 'AUTH_TOKEN_INVALID' }, 'its tokens ended within a second');

  const again = (await register(server, device.desktop)).body;
  const { nextSequence } = await prove(server, device.desktop);
  const renewed = { ...device, token: again.access_token, sequence: nextSequence };
  await t.resolves(present(sign(renewed)));
  await t.rejects(present(sign({ ...renewed, offSeconds: 2 })), { code: 'AUTH_REAUTHENTICATE' }, 'the other one again');
});

t.test('token and signature must name one device, and a stolen token without the key opens nothing', async (t) => {
  const [a, b] = [await signedIn(), await signedIn()];
  await t.rejects(present(sign({ ...a, token: b.token })), { code: 'AUTH_SIGNATURE_INVALID' });
  await t.rejects(present(sign({ ...b, desktop: a.desktop })), { code: 'AUTH_SIGNATURE_INVALID' });
  await t.rejects(present({ ...sign(a), sequence: a.sequence + 1 }), { code: 'AUTH_SIGNATURE_INVALID' });
  await t.rejects(present({ ...sign(a), sequence: 1.5 }), { code: 'AUTH_SIGNATURE_INVALID' });
  await t.rejects(present({ ...sign(a), signature: 'x' }), { code: 'AUTH_SIGNATURE_INVALID' });
});

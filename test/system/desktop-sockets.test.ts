/** Desktops' sockets over the whole api: who pays for tokens that nobody knows, and what a sign-in ends. */
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import t from 'tap';
import { webSocketText } from '../../actors/crypto/signed-texts.ts';
import { startApiRole } from '../fixtures/api-role.ts';
import { makeDesktop, prove, register, signBy, type Desktop, type Registered } from '../fixtures/identity-server.ts';
import { openTestDesktop } from '../fixtures/test-desktop.ts';

const api = await startApiRole(t);

async function open(desktop: Desktop, { user_id, device_id: deviceId, access_token: token }: Registered) {
  const { nextSequence: sequence } = await prove(api, desktop);
  const timestamp = Math.floor(Date.now() / 1000);
  const tokenSha256 = createHash('sha256').update(token).digest('hex');
  const signature = signBy(desktop, webSocketText({ deviceId, timestamp, sequence, tokenSha256 }));
  const headers = { 'X-Vello-Sequence': String(sequence), 'X-Vello-Signature': signature };
  const socket = await openTestDesktop(t, api.base, { userId: user_id, deviceId }, { token, headers });
  await socket.hear('hello');
  return socket;
}

t.test('signing in again ends the socket of the older sign-in within a second', async (t) => {
  const desktop = makeDesktop();
  const older = await open(desktop, (await register(api, desktop)).body);
  const newer = (await register(api, desktop)).body;
  const signedInMs = performance.now();
  t.equal(await older.closed, 4401);
  t.ok(performance.now() - signedInMs < 1_000, `${performance.now() - signedInMs} ms`);
  (await open(desktop, newer)).leave();
});

t.test('a socket that was renewed in band ends with the logout of the token it was renewed with', async (t) => {
  const desktop = makeDesktop();
  const signedIn = (await register(api, desktop)).body;
  const socket = await open(desktop, signedIn);
  const { body } = await api.call('POST', '/api/auth/refresh', { body: { refresh_token: signedIn.refresh_token } });
  const renewed = body['access_token'] as string;
  socket.send({ type: 'refresh', access_token: renewed });
  await socket.hear('refreshed');
  t.equal((await api.call('POST', '/api/auth/logout', { token: renewed })).status, 204);
  t.equal(await socket.closed, 4401);
});

t.test('unknown tokens at the WebSocket count like those of requests, and do not keep out who is known', async (t) => {
  const desktop = makeDesktop();
  const signedIn = (await register(api, desktop)).body;
  (await open(desktop, signedIn)).leave();
  const headers = {
    ...{ Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13' },
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'X-Vello-Device': signedIn.device_id,
    ...{ 'X-Vello-Timestamp': '1', 'X-Vello-Sequence': '1', 'X-Vello-Signature': 'x' },
  };
  let asked = 0;
  let status = 401;
  let retryAfter: string | undefined;
  while (status === 401 && asked < 2_000) {
    asked += 1;
    ({ status, retryAfter } = await upgrade({ ...headers, Authorization: `Bearer unknown-${asked}` }));
  }
  t.equal(status, 429);
  t.equal(retryAfter, '1');
  const asking = Array.from({ length: 50 }, (_, n) => api.call('GET', '/api/me', { token: `unknown-too-${n}` }));
  const statuses = (await Promise.all(asking)).map((answer) => answer.status);
  t.ok(statuses.includes(429), 'one limit for both');
  (await open(desktop, signedIn)).leave();
});

/** `fetch` upgrades nothing. */
function upgrade(headers: Record<string, string>): Promise<{ status: number; retryAfter: string | undefined }> {
  return new Promise((resolve, reject) => {
    const asking = request(`${api.base}/ws/desktop`, { headers }, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode ?? 0, retryAfter: answer.headers['retry-after'] });
    });
    asking.on('error', reject);
    asking.end();
  });
}

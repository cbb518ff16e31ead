/** Contract §4: no open door, and the provider's key never leaves the gateway. */
import { randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import t from 'tap';
import { hashToken } from '../../actors/identity/tokens.ts';
import { systemClock } from '../../transports/process/system-clock.ts';
import { createGrantPublisher } from '../../transports/redis/grants/grant-publisher.ts';
import { recording } from '../fixtures/recordings.ts';
import { runVello } from '../fixtures/running-vello.ts';
import { startScriptedUpstream } from '../fixtures/scripted-upstream.ts';

const PROVIDER_KEY = `sk-provider-${randomBytes(12).toString('hex')}`;
const upstream = await startScriptedUpstream(t);
const vello = await runVello(t, {
  roles: ['api', 'gateway', 'collector'],
  environment: { VELLO_PROVIDER_URL: upstream.url, OPENAI_API_KEY: PROVIDER_KEY },
});
const redis = new Redis(vello.redis.url);
t.teardown(() => redis.disconnect());
const { bytes } = recording('garden-16k.flac');

/** Everything that anybody was answered, headers included. */
const answered: string[] = [];

async function call(path: string, token: string | undefined) {
  const form = new FormData();
  form.set('model', 'whisper-1');
  form.set('file', new Blob([bytes]), 'garden.flac');
  const headers = {
    'X-Session-Id': randomUUID(),
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
  };
  const response = await fetch(vello.gatewayUrl + path, { method: 'POST', headers, body: form });
  const body = await response.text();
  answered.push(JSON.stringify([...response.headers]), body);
  return { status: response.status, body };
}

t.test('no token, an expired, a forged or a revoked one gets 401, and the provider hears nothing', async (t) => {
  const desktop = vello.desktop();
  const { deviceId, userId } = await desktop.register();
  const valid = await desktop.accessToken();
  const leaving = vello.desktop();
  await leaving.register();
  const revoked = await leaving.accessToken();
  const headers = { Authorization: `Bearer ${revoked}` };
  t.equal((await fetch(`${vello.apiUrl}/api/auth/logout`, { method: 'POST', headers })).status, 204);

  const expired = randomBytes(32).toString('base64url');
  const grant = { tokenHash: hashToken(expired), userId, deviceId, familyId: deviceId };
  await createGrantPublisher(redis, systemClock).issue({ ...grant, expiresAtMs: Date.now() + 300 });
  await new Promise((resolve) => setTimeout(resolve, 400));

  const [head = '', claims = '', signature = ''] = valid.split('.');
  const forged = `${head}.${claims}.${signature.split('').reverse().join('')}`;
  for (const path of ['/vello/transcribe', '/v1/audio/transcriptions']) {
    for (const [name, token] of Object.entries({ none: undefined, expired, forged, revoked, empty: '' })) {
      const { status, body } = await call(path, token);
      t.equal(status, 401, `${name} at ${path}`);
      t.match(body, /"code":"AUTH_TOKEN_(MISSING|UNKNOWN)"/);
    }
  }
  t.equal(upstream.count, 0, 'the provider was never called');
});

t.test(
  'the provider key is in no answer, log line, event, metric, job or snapshot, whatever the provider does',
  async (t) => {
    const desktop = vello.desktop();
    const { userId } = await desktop.register();
    const token = await desktop.accessToken();

    const served = call('/vello/transcribe', token);
    const first = await upstream.next();
    t.equal(first.header('authorization'), `Bearer ${PROVIDER_KEY}`, 'the provider gets its key');
    t.notOk(first.head.includes(token), 'and not the access token');
    await first.whole();
    first.reply(200, { 'Content-Type': 'application/json' }, '{"text":"words"}');
    t.match(await served, { status: 200, body: /words/ });

    const refused = call('/v1/audio/transcriptions', token);
    const second = await upstream.next();
    await second.whole();
    const telling = JSON.stringify({ error: { message: `Incorrect API key provided: ${PROVIDER_KEY}.`, code: 'x' } });
    second.reply(401, { 'Content-Type': 'application/json', 'X-Echo': PROVIDER_KEY }, telling);
    t.ok((await refused).status >= 500, 'a refusal of our key is no fault of the desktop');

    const broken = call('/vello/transcribe', token);
    (await upstream.next()).reset();
    // An idempotent retry of the gateway would ask again.
    upstream.stop();
    t.ok((await broken).status >= 500);

    const settledJobs = async () => vello.database`select * from jobs where user_id = ${userId}`;
    while ((await settledJobs()).length < 3) await new Promise((resolve) => setTimeout(resolve, 50));
    const streams = await Promise.all(
      ['transcribe', 'process', 'dlq', 'dead'].map((name) => redis.xrange(`modelsgateway:events:${name}`, '-', '+')),
    );
    const looked = {
      answers: answered.join('\n'),
      log: vello.logged(),
      events: JSON.stringify(streams),
      jobs: JSON.stringify(await settledJobs()),
      metrics: await (await fetch(`${vello.adminUrl}/metrics`)).text(),
      actors: await (await fetch(`${vello.adminUrl}/actors`)).text(),
    };
    for (const [place, text] of Object.entries(looked)) {
      t.ok(text.length > 0 && !text.includes(PROVIDER_KEY), place);
      t.notOk(text.includes(token), `${place}: nor an access token`);
    }
  },
);

import t from 'tap';
import { createHash } from 'node:crypto';
import {
  acceptServiceRequest,
  SERVICE_CLOCK_TOLERANCE_MS,
  type SignedServiceRequest,
} from '../../../actors/identity/service-requests.ts';
import { serviceRequestText } from '../../../actors/crypto/signed-texts.ts';
import { createIdentityDecisions } from '../../fixtures/identity-decisions.ts';
import { createMemoryUsedSignatures } from '../../fixtures/memory-identity-stores.ts';

type WithBody = SignedServiceRequest & { readonly body: Buffer };

function setUp() {
  const { clock, signed, signatures, device } = createIdentityDecisions();
  clock.setNow(Math.floor(clock.now() / 1000) * 1000);
  const used = createMemoryUsedSignatures(clock);
  const services = {
    keysOf: async (id: string) => (id === 'collector' ? [Buffer.alloc(32, 9), device.publicKey] : []),
  };
  const now = () => Math.floor(clock.now() / 1000);
  const request = (timestamp = now(), more: Partial<WithBody> = {}): WithBody => {
    const facts = { serviceId: 'collector', method: 'POST', path: '/api/jobs?x=1', body: Buffer.from('{}') };
    const bodySha256 = createHash('sha256').update(facts.body).digest('hex');
    const signature = signed(serviceRequestText({ ...facts, timestamp, bodySha256 }));
    return { ...facts, authorization: `Ed25519 ${timestamp}:${signature}`, ...more };
  };
  const judge = (given: SignedServiceRequest) => acceptServiceRequest(given, { services, used, signatures, clock });
  const accept = async (given: WithBody) => (await judge(given))(given.body);
  return { clock, now, request, accept, judge };
}

const invalid = { code: 'SERVICE_AUTH_INVALID' };

t.test('a request that any key of its service signed is accepted, once', async (t) => {
  const { request, accept } = setUp();
  t.strictSame(await accept(request()), { serviceId: 'collector' });
  await t.rejects(accept(request()), { code: 'SERVICE_SIGNATURE_REPLAYED' });
});

t.test('what is signed is what is sent', async (t) => {
  const { request, accept, now } = setUp();
  const altered: Readonly<Record<string, Partial<WithBody>>> = {
    'another method': { method: 'GET' },
    'another path': { path: '/api/jobs' },
    'another body': { body: Buffer.from('{ }') },
    'another service': { serviceId: 'collector-2' },
    'an unknown service': { serviceId: 'nobody' },
    'no service': { serviceId: '' },
    'a service of the wrong form': { serviceId: 'Collector' },
    'no authorization': { authorization: '' },
    'another scheme': { authorization: request().authorization.replace('Ed25519', 'Bearer') },
    'another time': { authorization: request().authorization.replace(String(now()), String(now() + 1)) },
    'a changed signature': { authorization: `${request().authorization.slice(0, -4)}AAAA` },
    'a second spelling of the signature': { authorization: respelled(request().authorization) },
  };
  for (const [name, more] of Object.entries(altered)) await t.rejects(accept(request(now(), more)), invalid, name);
});

/** The last of 86 characters carries two bits that mean nothing. */
function respelled(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return text.slice(0, -1) + (alphabet[alphabet.indexOf(text.at(-1) ?? '') + 1] ?? '');
}

t.test('a clock may be five minutes off, either way, and not a second more', async (t) => {
  const { request, accept, now, clock } = setUp();
  const most = SERVICE_CLOCK_TOLERANCE_MS / 1000;
  clock.advance(most * 1000);
  for (const offBy of [most + 1, -most - 1]) {
    await t.rejects(accept(request(now() + offBy)), {
      code: 'SERVICE_CLOCK_SKEW',
      extras: { members: { server_time: /Z$/ } },
    });
  }
  await t.resolves(accept(request(now() + most)));
  await t.resolves(accept(request(now() - most)));
});

t.test('a signature is remembered for as long as its time is accepted', async (t) => {
  const { request, accept, now, clock } = setUp();
  const early = request(now() + SERVICE_CLOCK_TOLERANCE_MS / 1000);
  await t.resolves(accept(early));
  clock.advance(2 * SERVICE_CLOCK_TOLERANCE_MS - 1);
  await t.rejects(accept(early), { code: 'SERVICE_SIGNATURE_REPLAYED' }, 'at the last moment of ten minutes');
  clock.advance(1001);
  await t.rejects(accept(early), { code: 'SERVICE_CLOCK_SKEW' });
});

t.test('a signature from before the memory was emptied is refused', async (t) => {
  const { request, accept, now } = setUp();
  await t.rejects(accept(request(now() - 1)), { code: 'SERVICE_SIGNATURE_REPLAYED', message: /sign again/ });
  await t.resolves(accept(request()));
  const replayed = await t.rejects(accept(request()), { code: 'SERVICE_SIGNATURE_REPLAYED' });
  t.notMatch(replayed, { message: /sign again/ });
});

t.test('headers that cannot be of one of our services are refused before the body is waited for', async (t) => {
  const { request, judge, now } = setUp();
  await t.rejects(judge(request(now(), { serviceId: 'nobody' })), invalid);
  await t.rejects(judge(request(now(), { authorization: 'Ed25519 x:y' })), invalid);
  await t.rejects(judge(request(now() - 301)), { code: 'SERVICE_CLOCK_SKEW' });
  await t.resolves(judge(request()));
});

t.test(
  'a signature is remembered for ten minutes, and no store is asked about what no service is called',
  async (t) => {
    const { clock, request, now } = setUp();
    const { signatures, device } = createIdentityDecisions();
    const remembered: unknown[] = [];
    const asked: string[] = [];
    const services = { keysOf: async (id: string) => (asked.push(id), [device.publicKey]) };
    const used = { use: async (...facts: unknown[]) => (remembered.push(facts), 'fresh' as const) };
    const holds = { verify: async () => true };
    const judge = await acceptServiceRequest(request(), { services, used, signatures: holds, clock });
    await judge(Buffer.from('{}'));
    t.match(remembered, [[/^[\w-]{43}$/, now() * 1000, 600_000]]);
    for (const serviceId of ['', 'Collector', 'c', '9collector', 'a'.repeat(64), 'collector\n']) {
      const refused = acceptServiceRequest(request(now(), { serviceId }), { services, used, signatures, clock });
      await t.rejects(refused, invalid, JSON.stringify(serviceId));
    }
    t.strictSame(asked, ['collector']);
  },
);

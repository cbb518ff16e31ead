import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer as createTcpServer, type AddressInfo, type LookupFunction, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, type SecureVersion, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { LIMITS } from '../../../../config/limits.ts';
import { systemClock } from '../../../../transports/process/system-clock.ts';
import { createUpstreamPool, type UpstreamPoolOptions } from '../../../../transports/proxy/upstream/upstream-pool.ts';
import { makeCertificate, type Certificate } from '../../../fixtures/certificate.ts';
import { createManualClock } from '../../../fixtures/manual-clock.ts';
import { recordCall } from '../../../fixtures/recorded-call.ts';
import { projectFolder } from '../../../fixtures/source-files.ts';
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts';

const authority = makeCertificate({ name: 'authority' });
const good = makeCertificate({ name: 'provider', issuer: authority, dns: ['provider.test'], addresses: ['127.0.0.1'] });
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Every name is this machine. */
const here: LookupFunction = (_name, { all }, found) => {
  if (all === true) found(null, [{ address: '127.0.0.1', family: 4 }]);
  else found(null, '127.0.0.1', 4);
};

interface ProviderWish {
  readonly certificate?: Certificate;
  readonly maxVersion?: SecureVersion;
  /** What a request is answered with, and whether that ends the connection. */
  readonly answer?: Buffer | string;
  readonly ends?: boolean;
}

async function startTls(t: Test, { certificate = good, maxVersion, answer = ANSWER, ends = false }: ProviderWish = {}) {
  const sockets: TLSSocket[] = [];
  const { key, cert } = certificate;
  const versions = maxVersion === undefined ? {} : { maxVersion };
  const server = createTlsServer({ key, cert, ALPNProtocols: ['h2', 'http/1.1'], ...versions }, (socket) => {
    sockets.push(socket.on('error', () => undefined));
    socket.on('data', (bytes: Buffer) => {
      if (!bytes.includes('\r\n\r\n')) return;
      if (ends) socket.end(answer);
      else socket.write(answer);
    });
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    sockets.forEach((socket) => socket.destroy());
  });
  const { port } = server.address() as AddressInfo;
  return { sockets, url: `https://provider.test:${port}`, port };
}

function poolTo(t: Test, url: string, options: Partial<UpstreamPoolOptions> = {}) {
  const pool = createUpstreamPool(url, {
    clock: systemClock,
    headers: [],
    lookup: here,
    ca: authority.cert,
    ...options,
  });
  t.teardown(() => pool.destroy());
  return pool;
}

t.test('a provider is called over TLS by its name, in HTTP/1.1', async (t) => {
  const { sockets, url } = await startTls(t);
  const pool = poolTo(t, url);
  for (let round = 0; round < 3; round += 1) {
    const call = recordCall(pool, { body: 'x'.repeat(20_000) });
    await call.until('end');
    t.equal(call.body(), 'ok');
  }
  t.equal(sockets.length, 1);
  t.match(sockets[0], { servername: 'provider.test', alpnProtocol: 'http/1.1' });
});

t.test('an address is no name: none is asked for, and the certificate must be for the address', async (t) => {
  const { sockets, port } = await startTls(t);
  const call = recordCall(poolTo(t, `https://127.0.0.1:${port}`), { body: 'x' });
  await call.until('end');
  t.equal(sockets[0]?.servername, false);
});

t.test(
  'a certificate that is not trusted, not for the name, or over, is refused before anything is said',
  async (t) => {
    const cases: [string, Certificate, string | undefined][] = [
      ['signed by nobody known', makeCertificate({ name: 'provider', dns: ['provider.test'] }), authority.cert],
      ['trusted only by us', good, undefined],
      ['for another', makeCertificate({ name: 'other', issuer: authority, dns: ['other.test'] }), authority.cert],
      [
        'over',
        makeCertificate({ name: 'p', issuer: authority, dns: ['provider.test'], endsInMs: -60_000 }),
        authority.cert,
      ],
    ];
    // Whatever the environment says.
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    t.teardown(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
    for (const [what, certificate, ca] of cases) {
      const { sockets, url } = await startTls(t, { certificate });
      const pool = createUpstreamPool(url, {
        clock: systemClock,
        headers: [],
        lookup: here,
        ...(ca === undefined ? {} : { ca }),
      });
      t.teardown(() => pool.destroy());
      const call = recordCall(pool, { body: 'x' });
      await call.until('failed');
      t.match(call.failure, { reason: 'connect', error: { message: /certificate|altnames/i } }, what);
      t.ok(sockets.every(({ bytesRead }) => bytesRead === 0));
    }
  },
);

t.test('certificates of NODE_EXTRA_CA_CERTS are trusted', async (t) => {
  const { url, port } = await startTls(t, {
    certificate: makeCertificate({ name: 'p', issuer: authority, addresses: ['127.0.0.1'] }),
  });
  t.match(url, String(port));
  const file = join(temporaryFolder(t), 'authority.pem');
  writeFileSync(file, authority.cert);
  const script = `
    import { createUpstreamPool } from './build/transports/proxy/upstream/upstream-pool.js';
    import { systemClock } from './build/transports/process/system-clock.js';
    const pool = createUpstreamPool('https://127.0.0.1:${port}', { clock: systemClock, headers: [] });
    let isSaid = false;
    const say = (text) => { if (!isSaid) console.log(text); isSaid = true; void pool.destroy(); };
    pool.open({ method: 'GET', path: '/', headers: '', contentLength: 0 }, {
      wanted() {}, head(status) { say(status); }, data() {}, end() {}, failed({ error }) { say(error.code); } }).start();`;
  const ask = (env: NodeJS.ProcessEnv) =>
    new Promise<string>((resolve, reject) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: projectFolder, env });
      let said = '';
      child.stdout.on('data', (bytes) => (said += String(bytes)));
      child.once('error', reject).once('close', () => resolve(said.trim()));
    });
  const { PATH } = process.env;
  t.equal(await ask({ PATH, NODE_EXTRA_CA_CERTS: file }), '200');
  t.equal(await ask({ PATH }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
});

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(`${maxVersion}: a new connection resumes the session of one before it`, async (t) => {
    const { sockets, url } = await startTls(t, { maxVersion });
    const pool = poolTo(t, url);
    const first = recordCall(pool, { body: 'x' });
    await first.until('end');
    // One goes over the kept connection.
    const together = [
      recordCall(pool, { body: 'x' }),
      recordCall(pool, { body: 'x' }),
      recordCall(pool, { body: 'x' }),
    ];
    for (const call of together) await call.until('end');
    t.strictSame(
      sockets.map((socket) => [socket.getProtocol(), socket.isSessionReused()]),
      [
        [maxVersion, false],
        [maxVersion, true],
        [maxVersion, true],
      ],
    );
  });
}

t.test(
  'an answer over TLS comes whole, however often it is paused, also when its end comes in the meantime',
  async (t) => {
    const body = randomBytes(3_000_000);
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;
    for (const begin of [head, 'HTTP/1.1 200 OK\r\n\r\n']) {
      const { url } = await startTls(t, { answer: Buffer.concat([Buffer.from(begin), body]), ends: true });
      const hash = createHash('sha256');
      const call = recordCall(poolTo(t, url), {
        body: 'x',
        onData: (self) => {
          self.pause();
          setImmediate(() => self.resume());
        },
      });
      await call.until('end');
      hash.update(Buffer.from(call.body(), 'latin1'));
      t.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'));
    }
  },
);

t.test('what is no TLS in the middle of an answer ends it at once, though the provider stays', async (t) => {
  const { port } = await startTls(t, { answer: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf' });
  const broken: Socket[] = [];
  const between = createTcpServer((near) => {
    const far = connect(port, '127.0.0.1').on('error', () => undefined);
    near.on('error', () => far.destroy());
    near.pipe(far).on('data', (bytes: Buffer) => near.write(bytes));
    broken.push(near);
  }).listen(0, '127.0.0.1');
  await once(between, 'listening');
  t.teardown(() => {
    between.close();
    broken.forEach((socket) => socket.destroy());
  });
  const url = `https://provider.test:${(between.address() as AddressInfo).port}`;
  const call = recordCall(poolTo(t, url), { body: 'x' });
  await call.until({ data: 'half' });
  broken[0]?.write(Buffer.concat([Buffer.from('1703030032', 'hex'), randomBytes(0x32)]));
  await call.until('failed');
  t.match(call.failure, { reason: 'broken', error: { message: /SSL/ } });
});

t.test('each step of the making of a connection has its time', async (t) => {
  const silent = createTcpServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => void silent.close());
  const { port } = silent.address() as AddressInfo;

  const clock = createManualClock();
  const unnamed = poolTo(t, `http://provider.test:${port}`, { clock, lookup: () => undefined });
  const nameless = recordCall(unnamed, { body: 'x' });
  clock.advance(LIMITS.upstream.connectMs - 1);
  t.strictSame(nameless.heard, []);
  clock.advance(1);
  await nameless.until('failed');
  t.match(nameless.failure, { reason: 'connect', error: { message: /^No connection within 5000 ms/ } });

  const mute = recordCall(poolTo(t, `https://provider.test:${port}`, { clock }), { body: 'x' });
  const [socket] = (await once(silent, 'connection')) as [Socket];
  await once(socket, 'data');
  clock.advance(LIMITS.upstream.tlsMs - 1);
  t.strictSame(mute.heard, []);
  clock.advance(1);
  await mute.until('failed');
  t.match(mute.failure, { reason: 'connect', error: { message: /^No TLS handshake within 5000 ms/ } });
  socket.destroy();
  t.equal(clock.pendingTimers, 0);
});

t.test('a name that is not found, and an address that refuses, are no connection', async (t) => {
  const lookup: LookupFunction = (name, _options, found) =>
    found(Object.assign(new Error(`not found: ${name}`), { code: 'ENOTFOUND' }), '', 4);
  const unknown = recordCall(poolTo(t, 'http://provider.test', { lookup }), { body: 'x' });
  await unknown.until('failed');
  t.match(unknown.failure, { reason: 'connect', error: { code: 'ENOTFOUND' } });
  // Of several addresses, each of which refuses, Node.js says nothing in words.
  const both: LookupFunction = (_name, _options, found) =>
    found(null, [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ]);
  const closed = createTcpServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  const refused = recordCall(poolTo(t, `http://provider.test:${port}`, { lookup: both }), { body: 'x' });
  await refused.until('failed');
  t.match(refused.failure, { reason: 'connect', error: { message: /ECONNREFUSED|EADDRNOTAVAIL/ } });
});

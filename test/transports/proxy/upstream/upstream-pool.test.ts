import { once } from 'node:events';
import { createServer, type AddressInfo, type LookupFunction, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../transports/process/system-clock.ts';
import {
  createUpstreamPool,
  type UpstreamPool,
  type UpstreamPoolOptions,
} from '../../../../transports/proxy/upstream/upstream-pool.ts';
import { createManualClock } from '../../../fixtures/manual-clock.ts';
import { recordCall } from '../../../fixtures/recorded-call.ts';
import { startScriptedUpstream } from '../../../fixtures/scripted-upstream.ts';

const OK = { 'content-type': 'text/plain' };

function poolTo(t: Test, url: string, options: Partial<UpstreamPoolOptions> = {}) {
  const pool = createUpstreamPool(url, { clock: systemClock, headers: ['content-type'], ...options });
  t.teardown(() => pool.destroy());
  return pool;
}

async function answered(t: Test, options: Partial<UpstreamPoolOptions> = {}, headers: Record<string, string> = OK) {
  const upstream = await startScriptedUpstream(t);
  const pool = poolTo(t, upstream.url, options);
  const serve = async (body = 'x') => {
    const call = recordCall(pool, { body });
    const request = await upstream.next();
    await request.whole();
    request.reply(200, headers, `answer to ${body}`);
    await call.until('end');
    t.equal(call.body(), `answer to ${body}`);
    return request;
  };
  return { upstream, pool, serve, request: await serve() };
}

/** Resolves once no more than `open` connections are left. */
async function emptied(pool: Pick<UpstreamPool, 'stats'>, open = 0): Promise<void> {
  while (pool.stats().open > open) await new Promise((resolve) => setImmediate(resolve));
}

t.test('a request goes out as it is given, with its host and its framing', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const pool = poolTo(t, `${upstream.url}/prefix`);
  const { host } = new URL(upstream.url);
  const begin = (method: string) =>
    `${method} /prefix/v1/x HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\nx-b: 1`;
  const cases = [
    [{ body: 'hello' }, `${begin('POST')}\r\ncontent-length: 5`, 'hello'],
    [{ contentLength: 0 }, `${begin('POST')}\r\ncontent-length: 0`, ''],
    [{ method: 'GET' }, begin('GET'), ''],
    [{ method: 'HEAD' }, begin('HEAD'), ''],
    [{ body: 'hello', contentLength: undefined }, `${begin('POST')}\r\ntransfer-encoding: chunked`, 'hello'],
    [{ body: 'h'.repeat(50_000) }, `${begin('POST')}\r\ncontent-length: 50000`, 'h'.repeat(50_000)],
    [
      { body: 'h'.repeat(50_000), contentLength: undefined },
      `${begin('POST')}\r\ntransfer-encoding: chunked`,
      'h'.repeat(50_000),
    ],
  ] as const;
  for (const [request, head, body] of cases) {
    const call = recordCall(pool, request);
    const seen = await upstream.next();
    t.equal((await seen.whole()).toString(), body);
    t.equal(seen.head, head);
    seen.reply(204, {}, '');
    await call.until('end');
  }
  t.equal(upstream.connections, 1);
});

t.test('head and body leave in one piece, and so do a chunk and the last one', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const pool = poolTo(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.teardown(() => void server.close());
  for (const contentLength of [5, undefined]) {
    recordCall(pool, { body: 'hello', contentLength });
    const [socket] = (await once(server, 'connection')) as [Socket];
    const [first] = (await once(socket, 'data')) as [Buffer];
    t.match(first.toString(), contentLength === 5 ? /\r\n\r\nhello$/ : /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
    socket.destroy();
  }
});

t.test('a body of several pieces keeps its length, or is chunked, and the connection serves on', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const pool = poolTo(t, upstream.url);
  for (const contentLength of [30_006, undefined]) {
    for (const endsApart of [false, true]) {
      const call = recordCall(pool, { contentLength });
      await call.until('wanted');
      call.write(Buffer.from('one'), false);
      call.write(Buffer.alloc(30_000, 'x'), false);
      call.write(Buffer.from('two'), !endsApart);
      if (endsApart) call.end();
      const request = await upstream.next();
      t.equal((await request.whole()).toString(), `one${'x'.repeat(30_000)}two`);
      request.reply(200, OK, 'fine');
      await call.until('end');
    }
  }
  t.equal(upstream.connections, 1);
});

t.test('a body that is not as long as was announced ends its connection', async (t) => {
  for (const [piece, isLast] of [
    ['longer', false],
    ['short', true],
  ] as const) {
    const upstream = await startScriptedUpstream(t);
    const pool = poolTo(t, upstream.url);
    const call = recordCall(pool, { contentLength: piece === 'longer' ? 5 : 8 });
    await call.until('wanted');
    call.write(Buffer.from(piece), isLast);
    await call.until('failed');
    call.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'), true);
    t.notMatch(upstream.transcript(), /GET/);
  }
});

t.test('only the headers that are asked for are reported', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const call = recordCall(poolTo(t, upstream.url), { body: 'x' });
  (await upstream.next()).reply(200, { 'Content-Type': 'a/b', Server: 'theirs', 'Keep-Alive': 'timeout=9' }, 'x');
  await call.until('end');
  t.strictSame({ ...call.headers }, { 'content-type': 'a/b', 'content-length': '1' });
});

t.test('a connection is used again, the last one first', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const pool = poolTo(t, upstream.url);
  const first = recordCall(pool, { body: 'a' });
  const one = await upstream.next();
  const second = recordCall(pool, { body: 'b' });
  const other = await upstream.next();
  t.strictSame(pool.stats(), { open: 2, busy: 2 });
  one.reply(200, OK, 'fine');
  await first.until('end');
  other.reply(200, OK, 'fine');
  await second.until('end');
  t.strictSame(pool.stats(), { open: 2, busy: 0 });
  const third = recordCall(pool, { body: 'c' });
  const again = await upstream.next();
  t.equal(again.closed, other.closed);
  again.reply(200, OK, 'fine');
  await third.until('end');
  other.finish();
  await emptied(pool, 1);
  recordCall(pool, { body: 'd' });
  t.equal((await upstream.next()).closed, one.closed);
  t.equal(upstream.connections, 2);
});

t.test('a connection that the provider ends, resets or speaks on is not used again', async (t) => {
  for (const [what, act] of [
    ['ends', 'finish'],
    ['resets', 'reset'],
    ['speaks', 'send'],
  ] as const) {
    const { upstream, pool, serve, request } = await answered(t);
    if (act === 'send') request.send('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged');
    else request[act]();
    await emptied(pool);
    await serve('second');
    t.equal(upstream.connections, 2, what);
  }
});

t.test('bytes behind an answer end the connection, and never become the next answer', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const pool = poolTo(t, upstream.url);
  const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
  const first = recordCall(pool, { body: 'x' });
  const request = await upstream.next();
  request.send(`${answer}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged`);
  await first.until('end');
  t.equal(first.body(), 'ok');
  await request.closed;
  const second = recordCall(pool, { body: 'y' });
  (await upstream.next()).send(answer);
  await second.until('end');
  t.equal(second.body(), 'ok');
  t.equal(upstream.connections, 2);
});

t.test('a connection is closed behind an answer that says or means so', async (t) => {
  for (const answer of [
    'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok',
  ]) {
    const upstream = await startScriptedUpstream(t);
    const pool = poolTo(t, upstream.url);
    const call = recordCall(pool, { body: 'x' });
    const request = await upstream.next();
    request.send(answer);
    await call.until('end');
    t.equal(call.body(), 'ok');
    await request.closed;
    await emptied(pool);
  }
});

t.test('an answer without length ends with its connection', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const call = recordCall(poolTo(t, upstream.url), { body: 'x' });
  const request = await upstream.next();
  request.send('HTTP/1.1 200 OK\r\n\r\nuntil ');
  await call.until({ data: 'until ' });
  request.send('the end');
  request.finish();
  await call.until('end');
  t.equal(call.body(), 'until the end');
});

t.test('a connection is kept for a bounded time, shorter than its provider keeps it', async (t) => {
  for (const [keepAlive, keptMs, own] of [
    ['', 20_000, {}],
    ['timeout=6', 5_000, {}],
    ['timeout=600', 20_000, {}],
    ['', 7_000, { keepAliveMs: 7_000 }],
    ['timeout=6', 5_000, { keepAliveMs: 7_000 }],
  ] as const) {
    const clock = createManualClock();
    const { upstream, pool, serve, request } = await answered(
      t,
      { clock, ...own },
      keepAlive === '' ? OK : { 'keep-alive': keepAlive },
    );
    clock.advance(keptMs - 1_000);
    await serve('second');
    t.equal(upstream.connections, 1);
    clock.advance(keptMs - 1_000);
    t.equal(pool.stats().open, 1);
    clock.advance(1_000);
    await request.closed;
    await emptied(pool);
    t.equal(clock.pendingTimers, 0, 'nothing is left to be watched');
  }
});

t.test('a connection is not used beyond its age, so that a name that points elsewhere is followed', async (t) => {
  const clock = createManualClock();
  const [before, after] = [await startScriptedUpstream(t), await startScriptedUpstream(t)];
  const { port } = new URL(before.url);
  // Both have one port, each on an address of its own.
  const elsewhere = createServer((socket) =>
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nmoved')),
  );
  elsewhere.listen(Number(port), '127.0.0.2');
  await once(elsewhere, 'listening');
  t.teardown(() => void elsewhere.close());
  after.stop();
  let address = '127.0.0.1';
  let lookups = 0;
  const lookup: LookupFunction = (name, options, found) => {
    t.equal(name, 'provider.test');
    lookups += 1;
    if (options.all === true) found(null, [{ address, family: 4 }]);
    else found(null, address, 4);
  };
  const pool = poolTo(t, `http://provider.test:${port}`, { clock, lookup });
  const serve = async () => {
    const call = recordCall(pool, { body: 'x' });
    const request = await before.next();
    await request.whole();
    t.equal(request.header('host'), `provider.test:${port}`);
    request.reply(200, OK, 'here');
    await call.until('end');
  };
  await serve();
  address = '127.0.0.2';
  for (let minute = 0; minute < 19; minute += 1) {
    clock.advance(15_000);
    await serve();
  }
  t.equal(before.connections, 1);
  t.equal(lookups, 1);
  clock.advance(15_000);
  const call = recordCall(pool, { body: 'x' });
  await call.until('end');
  t.equal(call.body(), 'moved');
  t.equal(lookups, 2);
});

t.test('a pool that is destroyed breaks its calls, makes no other connection, and leaves none', async (t) => {
  const { upstream, pool, serve } = await answered(t);
  await serve();
  const underWay = recordCall(pool, { body: 'x' });
  await (await upstream.next()).whole();
  await pool.destroy();
  t.match(underWay.failure, { reason: 'broken' });
  t.strictSame(pool.stats(), { open: 0, busy: 0 });
  const late = recordCall(pool, { body: 'x' });
  await late.until('failed');
  t.match(late.failure, { reason: 'connect' });
  t.strictSame(pool.stats(), { open: 0, busy: 0 });
});

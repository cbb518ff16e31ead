import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer, type AddressInfo, type LookupFunction, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../transports/process/system-clock.ts';
import { createUpstreamPool } from '../../../../transports/proxy/upstream/upstream-pool.ts';
import { freePort } from '../../../fixtures/free-port.ts';
import { recordCall } from '../../../fixtures/recorded-call.ts';
import { startScriptedUpstream } from '../../../fixtures/scripted-upstream.ts';
import { chunk } from '../../../fixtures/test-gateway.ts';

const STREAM = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** A chunk that is not joined with those around it, because of what it says beside its size. */
const apart = (text: string) => `${text.length.toString(16)};x\r\n${text}\r\n`;

async function started(t: Test) {
  const upstream = await startScriptedUpstream(t);
  const pool = poolTo(t, upstream.url);
  return { upstream, pool };
}

function poolTo(t: Test, url: string) {
  const pool = createUpstreamPool(url, { clock: systemClock, headers: ['content-encoding'] });
  t.teardown(() => pool.destroy());
  return pool;
}

/** A provider whose connections are the test's own. */
async function startRaw(t: Test) {
  const sockets: Socket[] = [];
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const hangUp = () => sockets.forEach((socket) => socket.destroy());
  t.teardown(() => {
    server.close();
    hangUp();
  });
  const pool = poolTo(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const accepted = async () => {
    const [socket] = (await once(server, 'connection')) as [Socket];
    return socket;
  };
  return { pool, accepted, hangUp };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('a listener hears of nothing before its connection is made, and then in order', async (t) => {
  const { upstream, pool } = await started(t);
  for (let round = 0; round < 2; round += 1) {
    const call = recordCall(pool, { body: 'x' });
    t.strictSame(call.heard, []);
    const request = await upstream.next();
    request.send(STREAM);
    request.send(chunk('one'));
    await call.until({ data: 'one' });
    request.reply(200, {}, '');
    await call.until('failed');
    t.strictSame(call.heard, ['wanted', 'head', 'data', 'failed']);
    t.match(call.failure, { reason: 'broken', error: { message: 'A chunk has no size.' } });
  }
});

t.test(
  'a refusal that comes while the body is still going up is passed on, and no more of the body is sent',
  async (t) => {
    const { upstream, pool } = await started(t);
    const call = recordCall(pool, { contentLength: 100 });
    await call.until('wanted');
    call.write(Buffer.alloc(10, 'a'), false);
    const request = await upstream.next();
    request.send('HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\n');
    await call.until('head');
    t.equal(call.write(Buffer.alloc(10, 'b'), false), true);
    request.send('full');
    await call.until('end');
    t.match(call, { status: 413 });
    t.equal(call.body(), 'full');
    await request.closed;
    t.notMatch(upstream.transcript(), /b{2}/);
    recordCall(pool, { body: 'x' });
    await upstream.next();
    t.equal(upstream.connections, 2, 'the connection is not used again');
  },
);

for (const isMade of [true, false]) {
  t.test(
    `what is written before another connection is made waits for it (${isMade ? 'made' : 'never made'})`,
    async (t) => {
      const upstream = await startScriptedUpstream(t);
      const asked: Parameters<LookupFunction>[2][] = [];
      let ask: () => void = () => undefined;
      const isAskedAgain = new Promise<void>((resolve) => (ask = resolve));
      const lookup: LookupFunction = (_name, _options, found) => {
        if (asked.push(found) === 1) found(null, [{ address: '127.0.0.1', family: 4 }]);
        else ask();
      };
      const url = upstream.url.replace('127.0.0.1', 'provider.test');
      const pool = createUpstreamPool(url, { clock: systemClock, headers: [], lookup });
      t.teardown(() => pool.destroy());
      const before = recordCall(pool, { body: 'x' });
      (await upstream.next()).reply(200, {}, '');
      await before.until('end');
      const call = recordCall(pool, { contentLength: 6 });
      await call.until('wanted');
      upstream.dropIdle();
      await isAskedAgain;
      t.equal(call.write(Buffer.from('abc'), false), false);
      t.equal(call.write(Buffer.from('def'), true), false);
      if (!isMade) {
        asked[1]?.(new Error('not found'), '', 4);
        await call.until('failed');
        t.equal(call.failure?.reason, 'connect', 'nothing can have been seen of it');
        return;
      }
      asked[1]?.(null, [{ address: '127.0.0.1', family: 4 }]);
      const request = await upstream.next();
      t.equal((await request.whole()).toString(), 'abcdef');
      request.reply(200, {}, '');
      await call.until('end');
    },
  );
}

t.test('an answer that streams while the body is still going up does not stop it; its end does', async (t) => {
  const { upstream, pool } = await started(t);
  const call = recordCall(pool, { contentLength: undefined });
  await call.until('wanted');
  call.write(Buffer.from('one'), false);
  const request = await upstream.next();
  request.send(STREAM);
  request.send(chunk('early'));
  await call.until({ data: 'early' });
  call.write(Buffer.from('two'), false);
  await request.received(6);
  request.send('0\r\n\r\n');
  await call.until('end');
  call.write(Buffer.from('three'), true);
  await request.closed;
  t.equal(request.body().toString(), 'onetwo');
});

t.test('a provider that breaks off is a failure at every point, also at the end of the head', async (t) => {
  for (const sent of [
    '',
    'HTTP/1.1 2',
    'HTTP/1.1 200 OK\r\n',
    STREAM,
    `${STREAM}3\r\none\r\n`,
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\non',
  ]) {
    for (const end of ['finish', 'reset'] as const) {
      const { upstream, pool } = await started(t);
      const call = recordCall(pool, { body: 'x' });
      const request = await upstream.next();
      await request.whole();
      if (sent !== '') request.send(sent);
      if (sent.includes('on')) await call.until('data');
      request[end]();
      await call.until('failed');
      t.match(call.failure, { reason: 'broken' }, `${sent} ${end}`);
      t.equal(upstream.count, 1, 'it is not repeated');
    }
  }
  const { upstream, pool } = await started(t);
  const call = recordCall(pool, { body: 'x' });
  const request = await upstream.next();
  request.send('HTTP/1.1 200 OK\r\n\r\nwithout length');
  await call.until('data');
  request.reset();
  await call.until('failed');
  t.match(call.failure, { reason: 'broken' }, 'a reset is no end of an answer that has none');
});

t.test('what is no answer is a failure in few words', async (t) => {
  for (const [answer, words] of [
    ['SSH-2.0-server\r\n', /not HTTP\/1/],
    ['HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n', /name of a header/],
    [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`, /too long/],
    ['HTTP/1.1 101 Switching Protocols\r\n\r\n', /protocol/],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', /beside/],
  ] as const) {
    const { upstream, pool } = await started(t);
    const call = recordCall(pool, { body: 'x' });
    const request = await upstream.next();
    request.send(answer);
    await call.until('failed');
    t.match(call.failure, { reason: 'broken', error: { message: words } });
    await request.closed;
  }
});

t.test('a provider that speaks before it is asked is left, and the request goes elsewhere', async (t) => {
  const { pool, accepted } = await startRaw(t);
  const first = recordCall(pool, { body: 'x' });
  const kept = await accepted();
  await once(kept, 'data');
  kept.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  await first.until('end');
  // The connection is taken, and the body awaited: nothing of the request has been written.
  const second = recordCall(pool, { contentLength: 1 });
  await second.until('wanted');
  kept.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged');
  const other = await accepted();
  await second.until('wanted');
  second.write(Buffer.from('y'), true);
  await once(other, 'data');
  other.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntruly');
  await second.until('end');
  t.equal(second.body(), 'truly');
});

t.test('a new connection that speaks or ends before it is asked was never one', async (t) => {
  for (const act of [(socket: Socket) => void socket.write('220 mail\r\n'), (socket: Socket) => void socket.end()]) {
    const { pool, accepted } = await startRaw(t);
    const call = recordCall(pool, { contentLength: 1 });
    act(await accepted());
    await call.until('failed');
    t.match(call.failure, { reason: 'connect' });
  }
});

t.test('a kept connection that is gone when it is written to gives its request to another', async (t) => {
  for (const body of ['x', 'x'.repeat(40_000)]) {
    const { pool, accepted } = await startRaw(t);
    const first = recordCall(pool, { body: 'x' });
    const kept = await accepted();
    await once(kept, 'data');
    kept.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    await first.until('end');
    // The reset is here before anybody looks: what is written now is refused by the system.
    kept.resetAndDestroy();
    const until = performance.now() + 20;
    while (performance.now() < until);
    const second = recordCall(pool, { body });
    const other = await accepted();
    let got = '';
    while (!got.includes('\r\n\r\n') || !got.endsWith(body)) got += String((await once(other, 'data'))[0]);
    other.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntruly');
    await second.until('end');
    t.equal(second.body(), 'truly');
    t.equal(got.split('POST ').length, 2);
  }
});

t.test('a kept connection that ends behind the writing of a request does not give it to another', async (t) => {
  const { pool, accepted } = await startRaw(t);
  const first = recordCall(pool, { body: 'x' });
  const kept = await accepted();
  await once(kept, 'data');
  kept.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  await first.until('end');
  const second = recordCall(pool, { body: 'y' });
  await once(kept, 'data');
  kept.end();
  await second.until('failed');
  t.match(second.failure, { reason: 'broken' });
  while (pool.stats().open > 0) await turn();
});

t.test('a paused answer rests, and nothing of it is lost, whatever was read of it by then', async (t) => {
  const { pool, accepted } = await startRaw(t);
  const call = recordCall(pool, { body: 'x', onData: (self) => self.pause() });
  const socket = await accepted();
  await once(socket, 'data');
  // In one piece, so that all of it has arrived when the first chunk pauses it.
  socket.write([STREAM, ...['one', 'two', 'three'].map(apart), '0\r\n\r\n'].join(''));
  for (const sofar of ['one', 'onetwo', 'onetwothree']) {
    await call.until({ data: sofar });
    for (let turns = 0; turns < 5; turns += 1) await turn();
    t.equal(call.body(), sofar);
    t.notOk(call.heard.includes('end'));
    call.resume();
    t.equal(call.body(), sofar, 'nothing comes within the call');
  }
  await call.until('end');
  recordCall(pool, { body: 'x' });
  await once(socket, 'data');
  t.pass('the connection serves on');
});

t.test('a paused answer is not read on: the provider has to wait', async (t) => {
  const { pool, accepted } = await startRaw(t);
  let isFirst = true;
  const call = recordCall(pool, {
    body: 'x',
    onData: (self) => {
      if (isFirst) self.pause();
      isFirst = false;
    },
  });
  const socket = await accepted();
  await once(socket, 'data');
  const size = 32 * 1024 * 1024;
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
  socket.write(Buffer.alloc(size));
  await call.until('data');
  for (let turns = 0; turns < 200; turns += 1) await turn();
  t.ok(call.body().length <= 64 * 1024);
  t.ok(socket.writableLength > 0, 'the rest is at the provider');
  call.resume();
  await call.until('end');
  t.equal(call.body().length, size);
});

t.test('an answer that is whole when its connection goes is delivered once it is wanted', async (t) => {
  for (const answer of [`${STREAM}${apart('one')}${apart('two')}0\r\n\r\n`, 'HTTP/1.1 200 OK\r\n\r\nonetwo']) {
    const { pool, accepted } = await startRaw(t);
    const call = recordCall(pool, { body: 'x', onData: (self) => self.pause() });
    const socket = await accepted();
    await once(socket, 'data');
    socket.end(answer);
    await call.until({ data: 'one' });
    for (let turns = 0; turns < 20; turns += 1) await turn();
    call.resume();
    await call.until({ data: 'onetwo' });
    call.resume();
    await call.until('end');
  }
});

t.test('a body is taken no faster than the provider takes it', async (t) => {
  const { pool, accepted } = await startRaw(t);
  const call = recordCall(pool, { contentLength: 64 * 1024 * 1024 });
  const socket = await accepted();
  socket.pause();
  let written = 0;
  const piece = Buffer.alloc(256 * 1024);
  const feed = async () => {
    await call.until('wanted');
    for (let isLast = false; !isLast;) {
      written += piece.length;
      isLast = written === 64 * 1024 * 1024;
      // Behind the last piece nothing is wanted any more, whether it was taken at once or not.
      if (!call.write(piece, isLast) && !isLast) await call.until('wanted');
    }
  };
  const fed = feed();
  for (let turns = 0; turns < 500; turns += 1) await turn();
  t.ok(written < 32 * 1024 * 1024, `${written} bytes`);
  let got = 0;
  socket.on('data', (bytes) => (got += bytes.length)).resume();
  await fed;
  while (got < written) await turn();
  socket.write('HTTP/1.1 204 None\r\n\r\n');
  await call.until('end');
});

t.test('a coded answer is undone, and its length is not that of what comes', async (t) => {
  const { upstream, pool } = await started(t);
  const call = recordCall(pool, { body: 'x' });
  (await upstream.next()).reply(200, { 'content-encoding': 'gzip' }, gzipSync('coded'));
  await call.until('end');
  t.equal(call.body(), 'coded');
  t.strictSame({ ...call.headers }, {});
});

t.test('a coded answer that ends before its body leaves no connection behind that nobody waits for', async (t) => {
  const { upstream, pool } = await started(t);
  const call = recordCall(pool, { body: 'x' });
  const request = await upstream.next();
  request.send('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n');
  request.send(chunk(Buffer.concat([gzipSync('coded'), Buffer.alloc(8)])));
  await call.until('end');
  t.equal(call.body(), 'coded');
  await request.closed;
  while (pool.stats().open > 0) await turn();
});

t.test('a call that is aborted, in whatever phase, leaves no descriptor and says nothing more', async (t) => {
  const open = () => readdirSync('/proc/self/fd').filter(isSocket).length;
  const { pool, accepted, hangUp } = await startRaw(t);
  const unreachable = poolTo(t, `http://127.0.0.1:${await freePort()}`);
  const before = open();
  const phases: readonly (() => Promise<ReturnType<typeof recordCall>>)[] = [
    async () => recordCall(unreachable, { body: 'x' }),
    async () => recordCall(pool, { body: 'x' }),
    async () => {
      const call = recordCall(pool, { contentLength: 5 });
      await call.until('wanted');
      return call;
    },
    async () => {
      const call = recordCall(pool, { contentLength: 5 });
      await call.until('wanted');
      call.write(Buffer.from('ab'), false);
      return call;
    },
    async () => {
      const call = recordCall(pool, { body: 'x' });
      const socket = await accepted();
      await once(socket, 'data');
      socket.write(STREAM);
      await call.until('head');
      return call;
    },
    async () => {
      const call = recordCall(pool, { body: 'x', onData: (self) => self.pause() });
      const socket = await accepted();
      await once(socket, 'data');
      socket.write(STREAM + apart('one') + apart('two'));
      await call.until('data');
      return call;
    },
    async () => recordCall(pool, { body: 'x', onData: (self) => self.abort() }),
  ];
  for (const [index, reach] of phases.entries()) {
    const call = await reach();
    if (index === phases.length - 1) {
      const socket = await accepted();
      await once(socket, 'data');
      socket.write(STREAM + apart('one') + apart('two'));
      await call.until('data');
      t.equal(call.body(), 'one', 'nothing follows what aborts it');
    }
    const heard = [...call.heard];
    call.abort();
    call.abort();
    while (pool.stats().open + unreachable.stats().open > 0) await turn();
    for (let turns = 0; turns < 5; turns += 1) await turn();
    t.strictSame(call.heard, heard);
  }
  hangUp();
  while (open() > before) await turn();
  t.pass('no descriptor is left');
});

const isSocket = (descriptor: string): boolean => {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('socket:');
  } catch {
    return false;
  }
};

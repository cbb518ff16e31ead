/** What only a real Redis can do to an event stream: lose its data, its sockets and its life. */
import t from 'tap';
import type { Redis } from 'ioredis';
import { COLLECTOR_GROUP, streamKey } from '../../../../config/streams.ts';
import { connectRedis, reconnectDelayMs } from '../../../../transports/redis/connection/connect.ts';
import { createEventStreams } from '../../../../transports/redis/streams/event-stream.ts';
import { startCutProxy } from '../../../fixtures/cut-proxy.ts';
import { startRedis, type TestRedis } from '../../../fixtures/redis.ts';
import { createMemoryLog, createMemoryMetrics } from '../../../fixtures/silent.ts';
import type { Teardown } from '../../../fixtures/temporary-folder.ts';

const key = streamKey('transcribe');
const UNAVAILABLE = { code: 'REDIS_UNAVAILABLE', retryable: true };

async function setUp(t: Teardown, server: TestRedis) {
  const log = createMemoryLog();
  const metrics = createMemoryMetrics();
  const commands = await connectRedis({ url: server.url, use: 'command', name: 'test', log });
  t.teardown(() => commands.disconnect());
  const streams = createEventStreams({ url: server.url, log, metrics });
  const stream = await streams.open('transcribe');
  t.teardown(() => stream.close());
  return { commands, streams, stream, metrics, log };
}

/** Streams whose connections can be cut, and commands that go past the proxy. */
async function setUpBehindProxy(t: Teardown) {
  const server = await startRedis(t);
  const proxy = await startCutProxy(t, server.port);
  const url = new URL(server.url);
  url.port = String(proxy.port);
  const { commands } = await setUp(t, server);
  const streams = createEventStreams({ url: url.href, log: createMemoryLog(), metrics: createMemoryMetrics() });
  return { proxy, commands, streams };
}

/** Resolves once a reader of the stream is blocked in the server. */
async function blocked(commands: Redis): Promise<void> {
  while (!/blocked_clients:[1-9]/.test(await commands.info('clients'))) await new Promise(setImmediate);
}

t.test('with a server', async (t) => {
  const server = await startRedis(t);

  t.test(
    'brings its group back after FLUSHALL hit a blocked reader, and delivers what arrived in between',
    async (t) => {
      const { commands, stream, metrics } = await setUp(t, server);
      const reading = stream.read('a', 1, 5000);
      await blocked(commands);
      await commands.flushall();
      const id = await commands.xadd(key, '*', 'n', '1');
      t.same(await reading, []);
      t.match(await stream.read('a', 1, 1000), [{ id }]);
      t.equal(metrics.value('vello_stream_groups_recreated_total', { stream: 'transcribe' }), 1);
    },
  );

  t.test('brings its group back after FLUSHALL between two reads', async (t) => {
    const { commands, stream } = await setUp(t, server);
    await commands.flushall();
    t.same(await stream.read('a', 1, 10), []);
    const id = await commands.xadd(key, '*', 'n', '1');
    t.match(await stream.read('a', 1, 1000), [{ id }]);
    await stream.settle('a', [String(id)]);
  });

  t.test('an entry whose group was destroyed is reported as lost and delivered again', async (t) => {
    const { commands, stream } = await setUp(t, server);
    const id = String(await commands.xadd(key, '*', 'n', '1'));
    await stream.read('a', 1, 10);
    await commands.xgroup('DESTROY', key, COLLECTOR_GROUP);
    t.same(await stream.settle('a', [id]), [id]);
    t.match(await stream.read('a', 1, 1000), [{ id }]);
    await stream.settle('a', [id]);
  });

  t.test('a blocked read rejects the moment its connection is killed, and takes nothing afterwards', async (t) => {
    const { commands, stream } = await setUp(t, server);
    const reading = stream.read('a', 1, 5000);
    await blocked(commands);
    const killed = t.rejects(reading, UNAVAILABLE);
    await commands.client('KILL', 'SKIPME', 'YES');
    await killed;
    const id = await commands.xadd(key, '*', 'n', '1');
    const again = await createEventStreams({
      url: server.url,
      log: createMemoryLog(),
      metrics: createMemoryMetrics(),
    }).open('transcribe');
    t.teardown(() => again.close());
    t.match(await again.read('a', 1, 1000), [{ id }]);
    await again.settle('a', [String(id)]);
  });

  t.test('goes on after the server forgot its scripts', async (t) => {
    const { commands, stream } = await setUp(t, server);
    await commands.script('FLUSH');
    const id = String(await commands.xadd(key, '*', 'n', '1'));
    await stream.read('a', 1, 10);
    t.same(await stream.settle('a', [id]), []);
  });

  t.test('drops an entry without a body instead of claiming it for ever', async (t) => {
    const { commands, stream } = await setUp(t, server);
    const id = String(await commands.xadd(key, '*', 'n', '1'));
    await stream.read('dead', 1, 10);
    await commands.xdel(key, id);
    t.same(await stream.claim('alive', { minIdleMs: 0, maxDeliveries: 3, aloneFrom: 3, count: 10 }), {
      entries: [],
      buried: [],
    });
    t.match(await stream.depth(), { length: 0, pending: 0 });
  });

  t.test('refuses to move an entry onto a key that is no stream, and keeps it', async (t) => {
    const { commands, stream } = await setUp(t, server);
    const id = String(await commands.xadd(key, '*', 'n', '1'));
    await stream.read('a', 1, 10);
    await commands.set(streamKey('dlq'), 'not a stream');
    await t.rejects(stream.move('a', 'dlq', [{ id, attempt: 1, error: 'TIMEOUT', delayMs: 1 }]), UNAVAILABLE);
    t.match(await stream.held('a'), [{ id }]);
    await commands.del(streamKey('dlq'));
    await stream.settle('a', [id]);
  });

  t.test('forgets silent consumers, but never one that owns an entry', async (t) => {
    const { commands, stream } = await setUp(t, server);
    const id = String(await commands.xadd(key, '*', 'n', '1'));
    await stream.read('owner', 1, 10);
    await stream.read('idle', 1, 10);
    await stream.forgetConsumers(0);
    const consumers = (await commands.xinfo('CONSUMERS', key, COLLECTOR_GROUP)) as string[][];
    t.same(
      consumers.map((consumer) => consumer[1]),
      ['owner'],
    );
    t.same(await stream.settle('owner', [id]), []);
  });
});

t.test(
  'an answer that comes late ends its connection, and what was in it is among what the consumer holds',
  async (t) => {
    const server = await startRedis(t);
    const { commands, stream } = await setUp(t, server);
    const reading = stream.read('a', 1, 300);
    await blocked(commands);
    const ended = t.rejects(reading, UNAVAILABLE);
    // The process stands still, as under SIGSTOP or a long collection of garbage: the answer lies in the socket when our timer fires.
    const id = commands.xadd(key, '*', 'n', '1');
    await new Promise(setImmediate);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
    await ended;
    t.match(await stream.held('a'), [{ id: await id }]);
  },
);

t.test('entries of any shape can be moved and buried', async (t) => {
  const server = await startRedis(t);
  const { commands, stream } = await setUp(t, server);
  const many = Array.from({ length: 4200 }, (_, n) => [`f${n}`, 'x']).flat();
  const shapes: readonly (readonly [string, readonly string[]])[] = [
    ['4200 fields', many],
    ['[NaN]', ['failures', '[NaN]']],
    ['[1e999]', ['failures', '[1e999]']],
    ['NaN in a failure', ['failures', '[{"attempt":NaN,"at":1,"error":"X"}]']],
    ['no list', ['failures', '{"a":1}']],
    ['sparse', ['failures', '{"1":1,"90000":2}']],
    ['deep', ['failures', `${'['.repeat(999)}${']'.repeat(999)}`]],
  ];
  for (const [title, fields] of shapes) {
    for (const to of ['dlq', 'dead'] as const) {
      const id = String(await commands.xadd(key, '*', ...fields));
      await stream.read('a', 1, 10);
      t.same(await stream.move('a', to, [{ id, attempt: 1, error: 'EVENT_MALFORMED' }]), [], `${title} to ${to}`);
      const [copy] = await commands.xrevrange(streamKey(to), '+', '-', 'COUNT', 1);
      const flat = copy?.[1] ?? [];
      t.match(JSON.parse(flat[flat.indexOf('failures') + 1] ?? ''), [{ attempt: 1, error: 'EVENT_MALFORMED' }], title);
    }
    const id = String(await commands.xadd(key, '*', ...fields));
    await stream.read('b', 1, 10);
    t.match(
      await stream.claim('a', { minIdleMs: 0, maxDeliveries: 1, aloneFrom: 9, count: 1 }),
      { buried: [id] },
      title,
    );
  }
  const [, flat = []] = (await commands.xrange(streamKey('dlq'), '-', '+', 'COUNT', 1))[0] ?? [];
  const surplus = JSON.parse(flat[flat.indexOf('surplus') + 1] ?? '[]') as string[];
  t.equal(surplus.length, many.length - 1000, 'nothing of it is left out');
});

t.test('what a living consumer renews cannot be claimed', async (t) => {
  const server = await startRedis(t);
  const { commands, stream } = await setUp(t, server);
  const id = String(await commands.xadd(key, '*', 'n', '1'));
  await stream.read('a', 1, 10);
  const age = ['XCLAIM', key, COLLECTOR_GROUP, 'a', '0', id, 'IDLE', '60000', 'JUSTID'] as const;
  await commands.call(...age);
  await stream.renew('a', 100);
  t.same(await stream.claim('b', { minIdleMs: 30_000, maxDeliveries: 3, aloneFrom: 3, count: 1 }), {
    entries: [],
    buried: [],
  });
  t.match(await stream.held('a'), [{ id, deliveries: 1 }], 'and no delivery is counted');
});

t.test('a reader of a frozen server gives up, and reads again once it thaws', async (t) => {
  const server = await startRedis(t);
  const { commands, stream } = await setUp(t, server);
  const reading = stream.read('a', 1, 500);
  await blocked(commands);
  server.freeze();
  await t.rejects(reading, UNAVAILABLE);
  server.thaw();
  const id = await untilAnswered(() => commands.xadd(key, '*', 'n', '1'));
  // Thawing, the server may still answer the old read before it hears of its end.
  const held = await untilAnswered(() => stream.held('a'));
  t.match(held.length > 0 ? held : await untilAnswered(() => stream.read('a', 1, 1000)), [{ id }]);
});

t.test('a reader that the server does not know to be gone', async (t) => {
  const { proxy, commands, streams } = await setUpBehindProxy(t);
  const loseReader = async () => {
    const stream = await streams.open('transcribe');
    const reading = stream.read('a', 1, 5000);
    await blocked(commands);
    const broken = t.rejects(reading, UNAVAILABLE);
    proxy.cutNewest();
    await broken;
    stream.close();
    t.match(await commands.info('clients'), /blocked_clients:1/, 'the server still serves it');
    const next = await streams.open('transcribe');
    t.teardown(() => next.close());
    return next;
  };

  t.test('what it took is among what its consumer holds', async (t) => {
    const next = await loseReader();
    const id = String(await commands.xadd(key, '*', 'n', '1'));
    t.match(await next.held('a'), [{ id }]);
    t.same(await next.settle('a', [id]), []);
  });

  t.test('takes nothing any more once its successor has asked what it holds', async (t) => {
    const next = await loseReader();
    t.same(await next.held('a'), []);
    const id = String(await commands.xadd(key, '*', 'n', '1'));
    t.match(await next.read('a', 1, 1000), [{ id }]);
    t.same(await next.settle('a', [id]), []);
  });
});

t.test('a reader whose connection breaks while it is being made leaves nothing behind', async (t) => {
  const { proxy, commands, streams } = await setUpBehindProxy(t);
  const stream = await streams.open('transcribe');
  t.teardown(() => stream.close());
  proxy.breakOn('\r\nID\r\n');
  await t.rejects(stream.read('a', 1, 10), UNAVAILABLE);
  t.same(await stream.read('a', 1, 10), []);
  // Longer than a client waits before it reconnects for the first time.
  await new Promise((resolve) => setTimeout(resolve, 2 * reconnectDelayMs(1, () => 1)));
  const readers = String(await commands.client('LIST')).match(/ name=vello-collector-transcribe /g);
  t.equal(readers?.length, 1);
});

t.test('a killed server fails commands and reads at once, and both work after its restart', async (t) => {
  const server = await startRedis(t, { fsync: 'always' });
  const { commands, stream } = await setUp(t, server);
  const id = String(await commands.xadd(key, '*', 'n', '1'));
  await stream.read('a', 1, 10);
  const reading = stream.read('a', 1, 5000);
  await blocked(commands);
  const broken = t.rejects(reading, UNAVAILABLE);
  await server.kill();
  await broken;
  await t.rejects(stream.settle('a', [id]), UNAVAILABLE);
  await server.restart();
  t.match(await untilAnswered(() => stream.held('a')), [{ id }]);
  t.same(await stream.settle('a', [id]), []);
});

t.test(
  'what waits for an answer when its connection breaks rejects at once, on either kind of connection',
  async (t) => {
    const server = await startRedis(t);
    const options = { url: server.url, name: 'test', log: createMemoryLog() };
    const connections = await Promise.all(
      (['command', 'blocking'] as const).map((use) => connectRedis({ ...options, use })),
    );
    for (const connection of connections) t.teardown(() => connection.disconnect());
    server.freeze();
    const rejected = connections.map((connection) => t.rejects(connection.client('ID')));
    await server.kill();
    await Promise.all(rejected);
  },
);

t.test('a server that is not there is one clear error, and nothing stays open', async (t) => {
  const log = createMemoryLog();
  const options = { url: 'redis://127.0.0.1:1', use: 'command', name: 'test', log, withinMs: 200 } as const;
  await t.rejects(connectRedis(options), { code: 'REDIS_UNAVAILABLE', message: /ECONNREFUSED/ });
  t.equal(log.lines.filter(({ level }) => level === 'warn').length, 1, 'many attempts, one line');
});

t.test('waits longer from attempt to attempt, up to two seconds, never all clients together', async (t) => {
  t.same(
    [1, 2, 3, 7, 500].map((attempt) => reconnectDelayMs(attempt, () => 1)),
    [50, 100, 200, 2000, 2000],
  );
  t.equal(
    reconnectDelayMs(3, () => 0),
    100,
  );
});

/** Repeats what a reconnecting client refuses until it is back. */
async function untilAnswered<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

import t from 'tap';
import { streamKey } from '../../../../config/streams.ts';
import { openDeadStream } from '../../../../transports/redis/streams/dead-stream.ts';
import { createEventStreams } from '../../../../transports/redis/streams/event-stream.ts';
import { openTestStreams } from '../../../fixtures/event-streams-on-redis.ts';
import { startRedis } from '../../../fixtures/redis.ts';
import { createMemoryLog, createMemoryMetrics } from '../../../fixtures/silent.ts';

const server = await startRedis(t);
const { redis, add, entries, length } = await openTestStreams(t, server);
const dead = openDeadStream(redis);
const streams = createEventStreams({ url: server.url, log: createMemoryLog(), metrics: createMemoryMetrics() });

/** An event as it comes out of the process stream and its attempts. */
async function bury(event_id: string) {
  const stream = await streams.open('process');
  await add('process', { v: '1', event_id });
  const [entry] = await stream.read('c', 1, 100);
  await stream.move('c', 'dead', [{ id: entry?.id ?? '', attempt: 4, error: 'API_TIMEOUT' }]);
  stream.close();
  const [newest] = await dead.newest(1);
  if (newest === undefined) throw new Error('nothing was buried');
  return newest;
}

async function record() {
  const stream = await streams.open('dead');
  const read = await stream.read('recorder', 100, 100);
  await stream.acknowledge(
    'recorder',
    read.map(({ id }) => id),
  );
  stream.close();
}

t.beforeEach(() => redis.flushall());

t.test('a retried event is back where it came from, as the gateway wrote it, and dead no longer', async (t) => {
  const entry = await bury('1');
  t.equal(await dead.retry(entry), 'retried');
  t.same(await entries('process'), [{ v: '1', event_id: '1' }]);
  t.equal(await length('dead'), 0);
  t.equal(await dead.retry(entry), 'gone', 'and only once');
  t.equal(await length('process'), 1);
});

t.test('an event without a stream of ours to go back to is left alone', async (t) => {
  const id = await add('dead', { event_id: '1', origin_stream: 'somebody:else' });
  const entry = await dead.find(id);
  t.equal(entry && (await dead.retry(entry)), 'unknown_origin');
  t.equal(await length('dead'), 1);
});

t.test('an event is discarded only once it is in the lasting record', async (t) => {
  const entry = await bury('1');
  t.equal(await dead.discard(entry), 'unrecorded', 'nobody has read it');
  const stream = await streams.open('dead');
  await stream.read('recorder', 1, 100);
  t.equal(await dead.discard(entry), 'unrecorded', 'it is being recorded');
  await stream.acknowledge('recorder', [entry.id]);
  stream.close();
  t.equal(await dead.discard(entry), 'discarded');
  t.equal(await dead.discard(entry), 'gone');
  t.equal(await length('dead'), 0);
});

t.test('an event in no record is discarded only where that is said, and leaves nothing behind', async (t) => {
  const entry = await bury('1');
  const stream = await streams.open('dead');
  await stream.read('recorder', 1, 100);
  stream.close();
  t.equal(await dead.discard(entry), 'unrecorded');
  t.equal(await dead.discard(entry, true), 'discarded_unrecorded');
  const pending = (await redis.xpending(streamKey('dead'), 'job-collector-group')) as [number];
  t.same([await length('dead'), pending[0]], [0, 0]);
  const another = await bury('2');
  await record();
  t.equal(await dead.discard(another, true), 'discarded', 'it was in the record');
});

t.test('what could not be copied whole is no event to retry', async (t) => {
  const origin_stream = streamKey('process');
  for (const left of [{ surplus: '["a","b"]' }, { problem: 'ERR' }]) {
    const entry = await dead.find(await add('dead', { event_id: '1', origin_stream, ...left }));
    t.equal(entry && (await dead.retry(entry)), 'no_event');
  }
  t.equal(await length('process'), 0);
});

t.test('retrying recorded events leaves nothing for the recorder to trip over', async (t) => {
  const entry = await bury('1');
  await record();
  await dead.retry(entry);
  const pending = (await redis.xpending(streamKey('dead'), 'job-collector-group')) as [number];
  t.equal(pending[0], 0);
});

t.test('walks through more events than one page holds', async (t) => {
  for (let n = 0; n < 450; n += 1) await redis.xadd(streamKey('dead'), '*', 'event_id', String(n));
  const seen: string[] = [];
  for await (const { fields } of dead.all()) seen.push(fields['event_id'] ?? '');
  t.equal(new Set(seen).size, 450);
  t.equal(await dead.length(), 450);
});

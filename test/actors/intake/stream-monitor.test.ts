import t from 'tap';
import { streamMonitor } from '../../../actors/intake/stream-monitor.ts';
import type { EventStreams } from '../../../actors/intake/event-stream.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createMemoryEventStreams } from '../../fixtures/memory-event-streams.ts';
import { pass, settled } from '../../fixtures/settled.ts';

function createMonitoring() {
  const test = createTestSystem();
  const streams = createMemoryEventStreams(test.clock);
  const closed: string[] = [];
  const faults = { open: '', depth: '' };
  const watched: EventStreams = {
    open: async (kind) => {
      if (faults.open === kind) throw new Error('away');
      const stream = await streams.open(kind);
      return {
        ...stream,
        depth: async () => (faults.depth === kind ? Promise.reject(new Error('away')) : stream.depth()),
        close: () => void closed.push(kind),
      };
    },
  };
  const start = async () => {
    test.system.spawn('monitor', streamMonitor(['transcribe', 'dead'], { streams: watched, metrics: test.metrics }));
    await settled();
  };
  const measured = (stream: string) =>
    ['length', 'pending', 'oldest_seconds'].map((what) => test.metrics.value(`vello_stream_${what}`, { stream }));
  return { ...test, streams, closed, faults, start, measured };
}

t.test('measures each stream at once and every five seconds, and gives them back', async (t) => {
  const { streams, start, measured, clock, closed, system } = createMonitoring();
  streams.append('transcribe', { n: '1' });
  clock.advance(1500);
  streams.append('transcribe', { n: '2' });
  await (await streams.open('transcribe')).read('c', 1, 0);
  await start();
  t.strictSame(measured('transcribe'), [2, 1, 1.5]);
  t.strictSame(measured('dead'), [0, 0, 0]);
  streams.append('dead', { n: '3' });
  await pass(clock, 4999);
  t.strictSame(measured('dead'), [0, 0, 0]);
  await pass(clock, 1);
  t.strictSame(measured('dead'), [1, 0, 5]);
  await system.stop();
  t.strictSame(closed, ['transcribe', 'dead']);
});

t.test('ends while the store is away, and keeps no connection of a start that failed', async (t) => {
  const { start, faults, closed, clock, system } = createMonitoring();
  faults.open = 'dead';
  await start();
  t.strictSame(closed, ['transcribe']);
  t.equal(system.resolve('monitor'), undefined);
  faults.open = '';
  await start();
  faults.depth = 'dead';
  await pass(clock, 5000);
  t.equal(system.resolve('monitor'), undefined);
  t.strictSame(closed, ['transcribe', 'transcribe', 'dead']);
  await system.stop();
});

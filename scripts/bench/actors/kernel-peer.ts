/** The scenarios on this kernel. */
import type { ActorDefinition } from '../../../actors/kernel/actor.ts';
import { createActorSystem, type ActorSystem } from '../../../actors/kernel/actor-system.ts';
import type { Ref, Reply } from '../../../actors/kernel/ref.ts';
import type { Log } from '../../../actors/ports/log.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { createPrometheusMetrics } from '../../../transports/telemetry/prometheus-metrics.ts';
import { BATCH, BUSY_US, bytesEach, CROWD, gate, IDLE, rate, SPAWNED, work, type Peer } from './scenario.ts';

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
const MAILBOX = { capacity: 1_000_000 };

const define = <M>(type: string, receive: (message: M) => void): ActorDefinition<M> => ({
  type,
  mailbox: MAILBOX,
  start: () => ({ receive }),
});

export function createKernelPeer(measures: boolean): Peer {
  const create = (): ActorSystem =>
    createActorSystem({ clock: systemClock, log: silent, metrics: createPrometheusMetrics(), measures });

  return {
    'hot actor': (sizes) => {
      let left = 0;
      let done = gate();
      const ref = create().spawn<number>(
        'hot',
        define('hot', () => {
          left -= 1;
          if (left === 0) done.open();
        }),
      );
      return rate(sizes, BATCH, () => {
        left = BATCH;
        done = gate();
        for (let n = 0; n < BATCH; n += 1) ref.tell(n);
        return done.opened;
      });
    },

    '1,000 actors': (sizes) => {
      let left = 0;
      let done = gate();
      const definition = define<number>('crowd', () => {
        left -= 1;
        if (left === 0) done.open();
      });
      const system = create();
      const refs = Array.from({ length: CROWD }, (_, n) => system.spawn(`a${n}`, definition));
      return rate(sizes, BATCH, () => {
        left = BATCH;
        done = gate();
        for (let n = 0; n < BATCH / CROWD; n += 1) for (const ref of refs) ref.tell(n);
        return done.opened;
      });
    },

    'ping-pong': (sizes) => {
      let left = 0;
      let done = gate();
      const system = create();
      const pong: Ref<number> = system.spawn<number>(
        'pong',
        define('pong', (n) => void ping.tell(n)),
      );
      const ping: Ref<number> = system.spawn<number>(
        'ping',
        define('ping', (n) => {
          left -= 1;
          if (left === 0) done.open();
          else pong.tell(n);
        }),
      );
      return rate(sizes, BATCH, () => {
        left = BATCH;
        done = gate();
        pong.tell(0);
        return done.opened;
      });
    },

    ask: (sizes) => {
      const ref = create().spawn<Reply<number>>(
        'answering',
        define('answering', (reply) => reply.ok(1)),
      );
      return rate(sizes, 100, async () => {
        await Promise.all(Array.from({ length: 100 }, () => ref.ask<number>((reply) => reply, 5000)));
      });
    },

    'fan-out to 1,000': (sizes) => {
      let left = 0;
      let done = gate();
      const system = create();
      const definition = define<number>('leaf', () => {
        left -= 1;
        if (left === 0) done.open();
      });
      const leaves = Array.from({ length: CROWD }, (_, n) => system.spawn(`leaf${n}`, definition));
      const source = system.spawn<number>(
        'source',
        define('source', (n) => {
          for (const leaf of leaves) leaf.tell(n);
        }),
      );
      return rate(sizes, CROWD, () => {
        left = CROWD;
        done = gate();
        source.tell(0);
        return done.opened;
      });
    },

    'hot beside 1,000 busy peers': async ({ playMs }) => {
      const system = create();
      let handled = 0;
      const hot = system.spawn<number>(
        'hot',
        define('hot', () => void (handled += 1)),
      );
      for (let n = 0; n < CROWD; n += 1) {
        const peer: Ref<number> = system.spawn<number>(
          `peer${n}`,
          define('peer', (m) => {
            work(BUSY_US);
            peer.tell(m);
          }),
        );
        peer.tell(0);
      }
      for (let n = 0; n < MAILBOX.capacity; n += 1) hot.tell(n);
      return countWhile(4 * playMs, () => handled);
    },

    'spawn and stop 20,000': async () => {
      const system = create();
      let ended = 0;
      const definition: ActorDefinition<'end'> = {
        type: 'short-lived',
        start: (ctx) => ({ receive: () => ctx.stop(), stop: () => void (ended += 1) }),
      };
      const startedMs = performance.now();
      const refs = Array.from({ length: SPAWNED }, (_, n) => system.spawn(`a${n}`, definition));
      for (const ref of refs) ref.tell('end');
      while (ended < SPAWNED) await new Promise((resolve) => setImmediate(resolve));
      return (SPAWNED * 1000) / (performance.now() - startedMs);
    },

    'memory per idle actor': () => {
      const system = create();
      const definition = define<number>('idle', () => undefined);
      return bytesEach(IDLE, async () => Array.from({ length: IDLE }, (_, n) => system.spawn(`a${n}`, definition)));
    },
  };
}

/** The growth of a count a second, from when it first moves. */
export async function countWhile(forMs: number, count: () => number): Promise<number> {
  while (count() === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const [startedMs, before] = [performance.now(), count()];
  await new Promise((resolve) => setTimeout(resolve, forMs));
  return ((count() - before) * 1000) / (performance.now() - startedMs);
}

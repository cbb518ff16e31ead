/** The scenarios on bare nact, as its documentation has one use it. */
import { dispatch, query, spawn, start, stop } from 'nact';
import { countWhile } from './kernel-peer.ts';
import { BATCH, BUSY_US, bytesEach, CROWD, gate, IDLE, rate, SPAWNED, work, type Peer } from './scenario.ts';

/** An actor without state; its failures would be printed, but none fails here. */
const actor = (system: object, name: string, receive: (message: never) => void): object =>
  spawn(system, (_state: undefined, message: unknown) => receive(message as never), name);

export const nactPeer: Peer = {
  'hot actor': (sizes) => {
    let left = 0;
    let done = gate();
    const ref = actor(start(), 'hot', () => {
      left -= 1;
      if (left === 0) done.open();
    });
    return rate(sizes, BATCH, () => {
      left = BATCH;
      done = gate();
      for (let n = 0; n < BATCH; n += 1) dispatch(ref, n);
      return done.opened;
    });
  },

  '1,000 actors': (sizes) => {
    let left = 0;
    let done = gate();
    const system = start();
    const refs = Array.from({ length: CROWD }, (_, n) =>
      actor(system, `a${n}`, () => {
        left -= 1;
        if (left === 0) done.open();
      }),
    );
    return rate(sizes, BATCH, () => {
      left = BATCH;
      done = gate();
      for (let n = 0; n < BATCH / CROWD; n += 1) for (const ref of refs) dispatch(ref, n);
      return done.opened;
    });
  },

  'ping-pong': (sizes) => {
    let left = 0;
    let done = gate();
    const system = start();
    const pong: object = actor(system, 'pong', (n: number) => dispatch(ping, n));
    const ping: object = actor(system, 'ping', (n: number) => {
      left -= 1;
      if (left === 0) done.open();
      else dispatch(pong, n);
    });
    return rate(sizes, BATCH, () => {
      left = BATCH;
      done = gate();
      dispatch(pong, 0);
      return done.opened;
    });
  },

  ask: (sizes) => {
    const ref = actor(start(), 'answering', (sender: object) => dispatch(sender, 1));
    return rate(sizes, 100, async () => {
      await Promise.all(Array.from({ length: 100 }, () => query(ref, (sender: object) => sender, 5000)));
    });
  },

  'fan-out to 1,000': (sizes) => {
    let left = 0;
    let done = gate();
    const system = start();
    const leaves = Array.from({ length: CROWD }, (_, n) =>
      actor(system, `leaf${n}`, () => {
        left -= 1;
        if (left === 0) done.open();
      }),
    );
    const source = actor(system, 'source', (n: number) => {
      for (const leaf of leaves) dispatch(leaf, n);
    });
    return rate(sizes, CROWD, () => {
      left = CROWD;
      done = gate();
      dispatch(source, 0);
      return done.opened;
    });
  },

  'hot beside 1,000 busy peers': async ({ playMs }) => {
    const system = start();
    let handled = 0;
    const hot = actor(system, 'hot', () => void (handled += 1));
    for (let n = 0; n < CROWD; n += 1) {
      const peer: object = actor(system, `peer${n}`, (m: number) => {
        work(BUSY_US);
        dispatch(peer, m);
      });
      dispatch(peer, 0);
    }
    for (let n = 0; n < 100_000; n += 1) dispatch(hot, n);
    return countWhile(4 * playMs, () => handled);
  },

  'spawn and stop 20,000': async () => {
    const system = start();
    let ended = 0;
    const startedMs = performance.now();
    const refs = Array.from({ length: SPAWNED }, (_, n) =>
      spawn(system, () => undefined, `a${n}`, { afterStop: () => void (ended += 1) }),
    );
    for (const ref of refs) stop(ref);
    while (ended < SPAWNED) await new Promise((resolve) => setImmediate(resolve));
    return (SPAWNED * 1000) / (performance.now() - startedMs);
  },

  'memory per idle actor': () => {
    const system = start();
    return bytesEach(IDLE, async () => Array.from({ length: IDLE }, (_, n) => actor(system, `a${n}`, () => undefined)));
  },
};

/**
 * Benchmark of the leg to a provider by itself: processor time of a call of 1 kB over our connections, over undici's dispatcher as the relay
 * once used it, and over bare sockets that look at nothing, which is the floor.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { cpus } from 'node:os';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { systemClock } from '../../transports/process/system-clock.ts';
import { ANSWER_HEADERS, headersToProvider } from '../../transports/proxy/header-policy.ts';
import { createUpstreamPool } from '../../transports/proxy/upstream/upstream-pool.ts';
import { UsageError } from '../command.ts';
import { textTable } from '../text-table.ts';

interface Leg {
  readonly name: string;
  /** One call; `done` when its answer is complete. */
  call(done: () => void): void;
  close(): Promise<void>;
}

const CONCURRENCY = 16;
const PATH = '/v1/chat/completions';
const KEY = 'sk-bench-0123456789';
const body = Buffer.from(JSON.stringify({ model: 'whole', messages: [{ role: 'user', content: 'x'.repeat(950) }] }));
const ofClient = (name: string) => (name === 'content-type' ? 'application/json' : '');
const fail = (error: Error) => {
  throw error;
};

/** Arguments: calls a round, rounds. */
export async function run([calls = '40000', rounds = '7']: readonly string[]): Promise<void> {
  const [count, times] = [Number(calls), Number(rounds)];
  if (!(Number.isInteger(count) && count >= 1_000 && Number.isInteger(times) && times > 0)) {
    throw new UsageError('bench upstream [calls, 1000 or more] [rounds]');
  }
  const provider = fork(fileURLToPath(new URL('./gateway/mock-provider.js', import.meta.url)));
  try {
    const port = Number((await once(provider, 'message'))[0]);
    const legs = [await bareSockets(port), ours(port), undicis(port)];
    const spent = legs.map((): number[] => []);
    // Interleaved, so that what else the machine does falls on all alike. The first round only warms up.
    for (let round = 0; round <= times; round += 1) {
      for (const [index, leg] of legs.entries()) {
        const micros = await measure(leg, count);
        if (round > 0) spent[index]?.push(micros);
      }
    }
    const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
    const rows = legs.map(({ name }, index) => {
      const each = spent[index] ?? [];
      return [name, middle(each).toFixed(1), each.map((micros) => micros.toFixed(1)).join(' ')];
    });
    console.log(`${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}; ${CONCURRENCY} calls at once`);
    console.log(textTable(['', 'µs of processor time a call, median', 'each round'], rows));
    await Promise.all(legs.map((leg) => leg.close()));
  } finally {
    provider.kill();
  }
}

/** Microseconds of processor time that a call takes. */
async function measure(leg: Leg, count: number): Promise<number> {
  const before = process.cpuUsage();
  let left = count;
  let open = CONCURRENCY;
  await new Promise<void>((resolve) => {
    const next = () => {
      left -= 1;
      if (left >= 0) leg.call(next);
      else if ((open -= 1) === 0) resolve();
    };
    for (let at = 0; at < CONCURRENCY; at += 1) next();
  });
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

function ours(port: number): Leg {
  const pool = createUpstreamPool(`http://127.0.0.1:${port}`, { clock: systemClock, headers: ANSWER_HEADERS });
  return {
    name: 'ours',
    call: (done) => {
      const headers = headersToProvider(ofClient, KEY, undefined);
      const call = pool.open(
        { method: 'POST', path: PATH, headers, contentLength: body.length },
        {
          wanted: () => void call.write(body, true),
          head: () => undefined,
          data: () => undefined,
          end: done,
          failed: ({ error }) => fail(error),
        },
      );
      call.start();
    },
    close: () => pool.destroy(),
  };
}

function undicis(port: number): Leg {
  const pool = new Pool(`http://127.0.0.1:${port}`, { pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  return {
    name: 'undici, a stream for each body',
    call: (done) => {
      const stream = new Readable({
        read: () => {
          stream.push(body);
          stream.push(null);
        },
      });
      const headers = {
        'user-agent': 'vello-gateway',
        'accept-encoding': 'identity',
        'content-type': 'application/json',
        authorization: `Bearer ${KEY}`,
        'content-length': String(body.length),
      };
      pool.dispatch(
        { method: 'POST', path: PATH, headers, body: stream },
        {
          onRequestStart: () => undefined,
          onResponseStart: () => undefined,
          onResponseData: () => undefined,
          onResponseEnd: done,
          onResponseError: (_controller, error) => fail(error),
        },
      );
    },
    close: () => pool.destroy(),
  };
}

/** Whatever arrives is taken for a whole answer. */
async function bareSockets(port: number): Promise<Leg> {
  const lines = headersToProvider(ofClient, KEY, undefined);
  const head = `POST ${PATH} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines}content-length: ${body.length}\r\n\r\n`;
  const request = Buffer.concat([Buffer.from(head), body]);
  const buffer = Buffer.allocUnsafe(64 * 1024);
  const free: Socket[] = [];
  const done = new Map<Socket, () => void>();
  const open = async () => {
    const callback = () => {
      free.push(socket);
      done.get(socket)?.();
      return true;
    };
    const socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback } });
    await once(socket, 'connect');
    free.push(socket);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, open));
  return {
    name: 'bare sockets',
    call: (onDone) => {
      const socket = free.pop();
      if (socket === undefined) throw new Error('A call too many.');
      done.set(socket, onDone);
      socket.write(request);
    },
    close: async () => free.forEach((socket) => socket.destroy()),
  };
}

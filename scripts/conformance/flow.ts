/** Cases: how soon bytes pass, and what is held when nobody takes them. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { RawClient } from './raw-client.ts';
import { chunk, EVENT, no, STREAM_HEAD, within, yes, type ConformanceCase, type Stage } from './stage.ts';

/** A sleep before the first byte, and Nagle's wait for an acknowledgement, cost more than this; a busy machine does not each time. */
const SOON_MS = 20;
const PIECE = Buffer.alloc(256 * 1024, 'x');
const ANSWER_PIECES = 256;
const UPLOAD_PIECES = 640;
const BYTES_PER_SECOND = 125_000_000;
/** Far below what is sent. */
const HELD_OF_ANSWER = 48 * 1024 * 1024;
/** Far more than we want: our own server reads on while its reads are full (`docs/decisions/http-server-build.md`). */
const HELD_OF_UPLOAD = 128 * 1024 * 1024;

export const FLOW_CASES: readonly ConformanceCase[] = [
  {
    name: 'first-byte',
    title: 'first byte of a stream over a new connection, ms: the least of 15, added to that of the direct call',
    pace: 'measured',
    on: (route) => route.answersInStream,
    async play(stage) {
      const direct: number[] = [];
      const through: number[] = [];
      for (let turn = 0; turn < 15; turn += 1) {
        direct.push(await firstByteMs(stage, stage.upstream.url));
        through.push(await firstByteMs(stage, stage.arm.running.url));
      }
      // The best, which other work on the machine leaves alone.
      const added = Math.max(0, Math.min(...through) - Math.min(...direct));
      const cell = `+${added.toFixed(1)}`;
      return added < SOON_MS ? yes(cell) : no(cell);
    },
  },
  {
    name: 'two-writes',
    title: 'the second of two small writes is not held for an acknowledgement, ms',
    pace: 'measured',
    on: (route) => route.answersInStream,
    async play(stage) {
      const { client, request } = await stage.askForStream();
      // The kernel acknowledges the first packets of a connection at once.
      for (let turn = 0; turn < 25; turn += 1) {
        request.send(chunk(EVENT));
        await pause(2);
      }
      const took: number[] = [];
      for (let turn = 0; turn < 7; turn += 1) {
        await pause(60);
        request.send(chunk(`data: first ${turn}\n\n`));
        await pause(2);
        const sentMs = performance.now();
        request.send(chunk(`data: second ${turn}\n\n`));
        await client.until(`second ${turn}`);
        took.push(performance.now() - sentMs);
      }
      const ms = median(took);
      return ms < SOON_MS ? yes(ms.toFixed(1)) : no(ms.toFixed(1));
    },
  },
  {
    name: 'slow-reader',
    title: 'a client that does not read makes the provider wait, and then gets all (64 MB)',
    pace: 'measured',
    on: (route) => route.answersInStream,
    async play(stage) {
      const { client, request } = await stage.askForStream();
      client.stopReading();
      const before = residentBytes(stage.arm.running.pid);
      const piece = chunk(PIECE);
      let taken = 0;
      const sending = (async () => {
        for (let turn = 0; turn < ANSWER_PIECES && !request.isClosed(); turn += 1, taken += 1)
          await request.sendAll(piece);
        request.send('0\r\n\r\n');
        request.answered();
      })();
      const isAllTaken = await within(1_500, sending);
      const grown = residentBytes(stage.arm.running.pid) - before;
      const began = client.receivedBytes;
      client.readOn();
      await within(
        5_000,
        client.when(() => client.isEnded() || client.receivedBytes - began > ANSWER_PIECES * PIECE.length),
      );
      if (isAllTaken) return no(`holds ${megabytes(grown)}`);
      if (client.receivedBytes - began <= ANSWER_PIECES * PIECE.length)
        return no(`loses, ${taken} of ${ANSWER_PIECES}`);
      return grown < HELD_OF_ANSWER ? yes(`holds ${megabytes(grown)}`) : no(`holds ${megabytes(grown)}`);
    },
  },
  {
    name: 'slow-provider',
    title: 'a provider that does not read makes the client wait (160 MB at 1 Gbit/s)',
    pace: 'measured',
    on: (route) => route.streams,
    async play(stage) {
      const before = residentBytes(stage.arm.running.pid);
      const client = await stage.connect();
      const body = stage.route.bodyOf(1_000);
      client.send(stage.head({ framing: `Content-Length: ${body.length + UPLOAD_PIECES * PIECE.length}` }));
      const next = stage.upstream.next().then((request) => request.stall());
      const sent = sendAll(client, body);
      const isAllTaken = await within(2_500, sent);
      const grown = residentBytes(stage.arm.running.pid) - before;
      if (client.isEnded()) return no(`ended, ${client.text().slice(9, 12)}`);
      if (isAllTaken || grown >= HELD_OF_UPLOAD) return no(`holds ${megabytes(grown)}`);
      return (await within(100, next)) ? yes(`holds ${megabytes(grown)}`) : no('never began');
    },
  },
];

/** As a network would bring it. */
async function sendAll(client: RawClient, head: Buffer): Promise<void> {
  await client.sendAll(head.subarray(0, -20));
  const startedMs = performance.now();
  for (let turn = 0; turn < UPLOAD_PIECES && !client.isEnded(); turn += 1) {
    await client.sendAll(PIECE);
    await pause((turn * PIECE.length * 1_000) / BYTES_PER_SECOND - (performance.now() - startedMs));
  }
}

async function firstByteMs(stage: Stage, url: string): Promise<number> {
  const startedMs = performance.now();
  const client = await stage.connect(url);
  client.send(stage.request({ asksForStream: true }));
  const request = await stage.upstream.next();
  await request.whole();
  request.send(STREAM_HEAD);
  request.send(chunk(EVENT));
  await client.until(EVENT);
  const elapsedMs = performance.now() - startedMs;
  request.send('0\r\n\r\n');
  request.answered();
  await stage.answerOf(client);
  client.close();
  return elapsedMs;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
const megabytes = (bytes: number): string => `${Math.max(0, Math.round(bytes / 2 ** 20))} MB`;

/** Of a process and its children; 0 where the system does not tell. */
function residentBytes(pid: number): number {
  try {
    const own = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' '),
    );
    return children.filter((child) => child !== '').reduce((sum, child) => sum + residentBytes(Number(child)), own);
  } catch {
    return 0;
  }
}

/** Benchmark of the gateway: what it adds to a call of the provider, beside nginx and @fastify/reply-from where they are installed. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { UsageError } from '../command.ts';
import { textTable } from '../text-table.ts';
import { startNginx } from './gateway/nginx-peer.ts';

interface Arm {
  readonly name: string;
  readonly pool: Pool;
  readonly firstByteMs: number[];
  readonly uploadMs: number[];
  readonly perSecond: number[];
}

const TOKEN = 'bench-token';
const STREAMS = 100;
const UPLOADS = 10;
const CALLS = 3_000;
const CONCURRENCY = 16;

const multipart = Buffer.concat([
  Buffer.from('--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'),
  Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'),
  Buffer.alloc(1024 * 1024),
  Buffer.from('\r\n--b--\r\n'),
]);
const chat = (stream: boolean) => JSON.stringify({ model: 'm', stream, messages: [{ content: 'x'.repeat(950) }] });

/** Argument: rounds (default 5). */
export async function run([rounds = '5']: readonly string[]): Promise<void> {
  const times = Number(rounds);
  if (!(Number.isInteger(times) && times > 0)) throw new UsageError('bench gateway [rounds]: a whole number above 0');
  const children: ChildProcess[] = [];
  const start = async (file: string, ...args: string[]): Promise<number> => {
    const child = fork(fileURLToPath(new URL(`./gateway/${file}.js`, import.meta.url)), args);
    children.push(child);
    return Number((await once(child, 'message'))[0]);
  };
  const local = (port: number) => `http://127.0.0.1:${port}`;
  const provider = local(await start('mock-provider'));
  const nginx = await startNginx(provider);
  try {
    const replyFrom = await start('reply-from-peer', provider);
    const arms = [
      arm('direct, no proxy', provider),
      arm('Vello', local(await start('measured-gateway', provider, TOKEN))),
      ...(nginx === undefined ? [] : [arm('nginx, no buffering', nginx.url)]),
      ...(replyFrom === 0 ? [] : [arm('@fastify/reply-from', local(replyFrom))]),
    ];
    for (const one of arms) await measure(one, 0.2, false);
    // Interleaved, so that what else the machine does falls on all alike.
    for (let round = 0; round < times; round += 1) for (const one of arms) await measure(one, 1, true);
    print(arms, times);
    if (nginx === undefined) console.log('nginx: not installed');
    if (replyFrom === 0) console.log('@fastify/reply-from: not installed');
    await Promise.all(arms.map(({ pool }) => pool.destroy()));
  } finally {
    nginx?.stop();
    for (const child of children) child.kill();
  }
}

const arm = (name: string, url: string): Arm => ({
  name,
  pool: new Pool(url, { connections: CONCURRENCY }),
  firstByteMs: [],
  uploadMs: [],
  perSecond: [],
});

async function measure(into: Arm, share: number, isKept: boolean): Promise<void> {
  const firstByteMs: number[] = [];
  for (let n = 0; n < STREAMS * share; n += 1) firstByteMs.push(await post(into.pool, chat(true), 'first'));
  const uploadMs: number[] = [];
  for (let n = 0; n < UPLOADS * share; n += 1) uploadMs.push(await post(into.pool, multipart, 'last'));
  const startedMs = performance.now();
  let left = Math.round(CALLS * share);
  const calls = left;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await post(into.pool, chat(false), 'last');
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  if (!isKept) return;
  into.firstByteMs.push(...firstByteMs);
  into.uploadMs.push(...uploadMs);
  into.perSecond.push((calls / (performance.now() - startedMs)) * 1000);
}

/** Milliseconds from the call to the first or the last byte of the answer. */
async function post(pool: Pool, body: string | Buffer, until: 'first' | 'last'): Promise<number> {
  const isForm = typeof body !== 'string';
  const startedMs = performance.now();
  const answer = await pool.request({
    method: 'POST',
    path: isForm ? '/v1/audio/transcriptions' : '/v1/chat/completions',
    headers: {
      authorization: `Bearer ${TOKEN}`,
      'content-type': isForm ? 'multipart/form-data; boundary=b' : 'application/json',
    },
    body,
  });
  let firstMs: number | undefined;
  for await (const _ of answer.body) firstMs ??= performance.now() - startedMs;
  if (answer.statusCode !== 200) throw new Error(`The answer was ${answer.statusCode}.`);
  return until === 'first' ? (firstMs ?? 0) : performance.now() - startedMs;
}

function print(arms: readonly Arm[], times: number): void {
  const direct = arms[0];
  const added = (ms: number, base: number) => `${ms.toFixed(2)} (+${Math.max(0, ms - base).toFixed(2)})`;
  const rows = arms.map((one) => [
    one.name,
    added(quantile(one.firstByteMs, 0.5), quantile(direct?.firstByteMs ?? [], 0.5)),
    added(quantile(one.firstByteMs, 0.99), quantile(direct?.firstByteMs ?? [], 0.99)),
    Math.round(quantile(one.perSecond, 0.5)).toString(),
    added(quantile(one.uploadMs, 0.5), quantile(direct?.uploadMs ?? [], 0.5)),
  ]);
  const columns = ['', 'first byte p50 ms', 'p99 ms', `calls/s at ${CONCURRENCY}`, '1 MB upload p50 ms'];
  console.log(textTable(columns, rows));
  console.log(
    `${times} rounds, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, one process each, loopback`,
  );
  console.log(
    `calls/s by round: ${arms.map((one) => `${one.name} ${one.perSecond.map(Math.round).join(' ')}`).join('; ')}`,
  );
}

function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;
}

/** Benchmark of sign-in and settlement: one api process beside the same routes in Python (FastAPI, asyncpg, uvicorn), over the same servers. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { generateKeyPair } from '../../actors/crypto/key-pair.ts';
import { newId } from '../../actors/identity/new-id.ts';
import { deriveIdentitySecrets } from '../../actors/crypto/secrets.ts';
import { connectPostgres, type Sql } from '../../transports/postgres/connection/connect.ts';
import { migrate } from '../../transports/postgres/schema/migrate.ts';
import { registerService } from '../../transports/postgres/identity/register-service.ts';
import { findFreePort } from '../../transports/process/free-port.ts';
import { postgresUrl, startPostgres } from '../../transports/process/postgres-cluster.ts';
import { findRedisBinary, serverSearchPath } from '../../transports/process/redis-binary.ts';
import { redisUrl, startRedis } from '../../transports/process/redis-server.ts';
import { CommandError, UsageError } from '../command.ts';
import { projectRoot } from '../project-root.ts';
import { addJobs, challengeToVerify, measure, type Measured, type Owner, type Scenario } from './auth/load.ts';

const DEFAULT_ROUNDS = 5;
const PLAY_MS = 3000;
const CONNECTIONS = 32;
const OWNERS = 2000;
const PYTHON = '/usr/bin/python3';

interface Servers {
  readonly databaseUrl: string;
  readonly redisUrl: string;
}

interface Server {
  readonly origin: string;
  readonly pid: number;
}

interface Measurement extends Measured {
  /** Processor time of the server, in milliseconds for each iteration. */
  readonly cpuMs: number;
}

interface Played {
  readonly title: string;
  readonly unit: string;
  readonly scenario: Scenario;
  readonly perIteration: number;
}

/** Arguments: the number of rounds. */
export async function run(args: readonly string[]): Promise<void> {
  const rounds = Number(args[0] ?? DEFAULT_ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError('The first argument is the number of rounds');
  const folder = mkdtempSync(join(tmpdir(), 'vello-bench-'));
  const ends: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  try {
    const servers = await startServers(folder, ends);
    const { owners, service } = await fill(servers.databaseUrl);
    const ours = await startApi(folder, servers, ends);
    const peer = await startPeer(servers, ends);
    console.log(`${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node.js ${process.versions.node}`);
    console.log(
      `${rounds} rounds of ${PLAY_MS / 1000} s, interleaved, ${CONNECTIONS} connections; the load, PostgreSQL (fsync on) and`,
    );
    console.log('Redis share the machine. Medians, then every value.\n');
    const plays: readonly Played[] = [
      {
        title: 'challenge to verify',
        unit: 'sign-ins/s',
        scenario: challengeToVerify(8000),
        perIteration: 1,
      },
      {
        title: 'jobs/add, one event a request',
        unit: 'events/s',
        scenario: addJobs(service, owners, 1),
        perIteration: 1,
      },
      {
        title: 'jobs/add, 100 events a request',
        unit: 'events/s',
        scenario: addJobs(service, owners, 100),
        perIteration: 100,
      },
    ];
    for (const play of plays) await compare(play, ours, peer, rounds);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function compare(play: Played, ours: Server, peer: Server | undefined, rounds: number): Promise<void> {
  const results: { readonly name: string; readonly server: Server | undefined; readonly measured: Measurement[] }[] = [
    { name: 'Vello api', server: ours, measured: [] },
    { name: 'FastAPI, asyncpg', server: peer, measured: [] },
  ];
  for (let round = 0; round < rounds; round += 1) {
    for (const { server, measured } of results) {
      if (server !== undefined) measured.push(await measureWithCpu(server, play.scenario));
    }
  }
  console.log(`${play.title} (${play.unit})`);
  const rates = results.map(({ measured }) => median(measured.map((m) => m.perSecond * play.perIteration)));
  for (const [index, { name, measured }] of results.entries()) {
    const values = measured.map((m) => Math.round(m.perSecond * play.perIteration)).join(' ');
    const latency = `p50 ${median(measured.map((m) => m.p50Ms)).toFixed(1)} ms, p99 ${median(measured.map((m) => m.p99Ms)).toFixed(1)} ms`;
    const cpu = `${(median(measured.map((m) => m.cpuMs)) / play.perIteration).toFixed(3)} ms of its CPU each`;
    const line =
      measured.length === 0 ? 'not installed' : `${Math.round(rates[index] ?? NaN)}  ${latency}  ${cpu}  [${values}]`;
    console.log(`  ${name.padEnd(18)} ${line}`);
  }
  const [first = NaN, second = NaN] = rates;
  if (Number.isFinite(first / second)) console.log(`  ${(first / second).toFixed(1)} times`);
  console.log('');
}

/** The rates depend on what else the machine does; what a server computes for one request hardly does. */
async function measureWithCpu(server: Server, scenario: Scenario): Promise<Measurement> {
  const beforeMs = cpuTimeMs(server.pid);
  const measured = await measure(server.origin, scenario, CONNECTIONS, PLAY_MS);
  return { ...measured, cpuMs: (cpuTimeMs(server.pid) - beforeMs) / measured.iterations };
}

/** User and system time of a process (proc(5)), whose clock ticks a hundred times a second. */
function cpuTimeMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [userTicks = 0, systemTicks = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (userTicks + systemTicks) * 10;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

const SECRET_KEY = 'a key for this benchmark only, of 32 characters or more';
const SERVICE = 'bench-collector';

async function startServers(folder: string, ends: (() => Promise<unknown>)[]): Promise<Servers> {
  const binary = findRedisBinary(
    serverSearchPath(process.env['PATH']),
    process.env['VELLO_CACHE'] ?? join(projectRoot, '.vello', 'cache'),
  );
  if (binary === undefined) throw new CommandError('There is no redis-server here. npm start obtains one.');
  const common = { password: 'bench' };
  const postgres = {
    ...common,
    folder: join(folder, 'postgres'),
    logFile: join(folder, 'postgres.log'),
    port: await findFreePort(),
  };
  const database = await startPostgres(postgres);
  ends.push(() => database.stop(5000));
  const cache = {
    ...common,
    binary,
    folder: join(folder, 'redis'),
    logFile: join(folder, 'redis.log'),
    port: await findFreePort(),
  };
  const redis = await startRedis(cache);
  ends.push(() => redis.stop(5000));
  return { databaseUrl: postgresUrl(postgres, 'postgres'), redisUrl: redisUrl(cache) };
}

async function fill(databaseUrl: string) {
  await migrate({ adminUrl: databaseUrl, passwords: deriveIdentitySecrets(SECRET_KEY).rolePasswords });
  const { publicKey, privateKey } = generateKeyPair();
  const sql = connectPostgres(databaseUrl, { max: 1, name: 'vello bench' });
  await registerService(sql, { serviceId: SERVICE, description: 'benchmark', publicKey });
  const owners = Array.from({ length: OWNERS }, (): Owner => ({ userId: newId(), deviceId: newId() }));
  await insertOwners(sql, owners);
  await sql.end();
  return { owners, service: { id: SERVICE, key: privateKey } };
}

async function insertOwners(sql: Sql, owners: readonly Owner[]): Promise<void> {
  await sql`insert into users ${sql(owners.map(({ userId }) => ({ id: userId })))}`;
  const about = { name: 'Desk', os: 'linux', app_version: '1' };
  const rows = owners.map(({ userId, deviceId }) => ({
    id: deviceId,
    user_id: userId,
    hardware_id: deviceId,
    ...about,
  }));
  await sql`insert into devices ${sql(rows)}`;
  // Enough that nobody runs out while it is measured: a suspension is not what is compared.
  const balance = 1_000_000_000;
  await sql`insert into users_credits ${sql(owners.map(({ userId }) => ({ user_id: userId, balance, entries: 1 })))}`;
  const first = { entry: 1, delta: balance, balance_after: balance, kind: 'grant', idempotency_key: 'bench' };
  await sql`insert into credit_transactions ${sql(owners.map(({ userId }) => ({ user_id: userId, id: newId(), ...first })))}`;
  // Only what is filled: told that the others are empty, the server would keep plans for empty tables.
  await sql`analyze users, devices, users_credits, credit_transactions`;
}

async function startApi(folder: string, servers: Servers, ends: (() => Promise<unknown>)[]): Promise<Server> {
  const [port, adminPort] = [await findFreePort(), await findFreePort()];
  const main = join(projectRoot, 'build', 'scripts', 'main.js');
  const script = `const { main } = await import(${JSON.stringify(main)}); process.exit(await main(process.argv.slice(1)));`;
  const args = ['--input-type=module', '-e', script, '--', 'start', '--roles', 'api', '--no-demo'];
  const origin = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      VELLO_HOME: join(folder, 'home'),
      VELLO_DATABASE_URL: servers.databaseUrl,
      VELLO_REDIS_URL: servers.redisUrl,
      VELLO_SECRET_KEY: SECRET_KEY,
      VELLO_API_LISTEN: `127.0.0.1:${port}`,
      VELLO_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      VELLO_TRUST_PROXY: 'true',
    },
  });
  ends.push(() => endOf(child));
  await answers(child, `http://127.0.0.1:${adminPort}/health/ready`);
  return { origin, pid: child.pid ?? 0 };
}

async function startPeer(servers: Servers, ends: (() => Promise<unknown>)[]): Promise<Server | undefined> {
  const needed = 'import fastapi, uvicorn, asyncpg, redis.asyncio, cryptography';
  if (spawnSync(PYTHON, ['-c', needed]).status !== 0) return undefined;
  const port = await findFreePort();
  const folder = join(projectRoot, 'scripts', 'bench', 'auth');
  const options = ['--host', '127.0.0.1', '--port', String(port), '--no-access-log', '--log-level', 'warning'];
  const child = spawn(PYTHON, ['-m', 'uvicorn', 'peer:app', '--app-dir', folder, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      PYTHONDONTWRITEBYTECODE: '1',
      PEER_DATABASE_URL: servers.databaseUrl,
      PEER_REDIS_URL: servers.redisUrl,
    },
  });
  ends.push(() => endOf(child));
  await answers(child, `http://127.0.0.1:${port}/`);
  return { origin: `http://127.0.0.1:${port}`, pid: child.pid ?? 0 };
}

/** Resolves once `url` answers, with 200 where it is a readiness route. @throws CommandError with the program's last words */
async function answers(child: ChildProcess, url: string): Promise<void> {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)));
  child.stderr?.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)));
  for (let left = 600; left > 0; left -= 1) {
    if (child.exitCode !== null) throw new CommandError(`A server of the benchmark ended:\n${output}`);
    const response = await fetch(url).catch(() => undefined);
    if (response !== undefined && (response.ok || !url.endsWith('/ready'))) return;
    await wait(100);
  }
  throw new CommandError(`A server of the benchmark does not answer at ${url}:\n${output}`);
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([ended, wait(8000)]);
  child.kill('SIGKILL');
}

/** A Redis server of our own: loopback, password, append-only file, nothing evicted. Where its binary comes from is decided elsewhere. */
import { mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import type { Program } from '../../actors/programs/program-actor.ts';
import { endOrphan } from './end-orphan.ts';
import { launchAsOurselves } from './launch-as.ts';
import { commandLine, workingFolder } from './process-identity.ts';
import { startProgram } from './program.ts';

export interface RedisOptions {
  /** `redis-server` or `valkey-server`. */
  readonly binary: string;
  /** Holds the data and the configuration file; created where missing. */
  readonly folder: string;
  readonly logFile: string;
  readonly port: number;
  readonly password: string;
  /** Further server settings, over the defaults below. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Loading a large append-only file takes time. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 10;

export const redisUrl = (options: Pick<RedisOptions, 'port' | 'password'>): string =>
  `redis://:${options.password}@127.0.0.1:${options.port}`;

/**
 * Resolves once the server answers PING.
 * @throws Error with the server's last words when it does not come up.
 */
export async function startRedis(options: RedisOptions): Promise<Program> {
  const folder = resolve(options.folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await stopOrphanedRedis(folder);
  const configuration = join(folder, 'redis.conf');
  // In a file, since a command line is visible to every user of the machine.
  writeFileSync(configuration, describeServer(options, folder), { mode: 0o600 });
  const server = await startProgram({
    name: 'Redis',
    command: options.binary,
    args: [configuration],
    launchAs: launchAsOurselves(),
    logFile: options.logFile,
    stopSignal: 'SIGTERM',
  });
  try {
    await untilReady(server, options);
  } catch (error) {
    await server.stop(2_000);
    throw error;
  }
  return server;
}

/** Stops a server of this folder that outlived the Vello that started it. Resolves to whether there was one. */
export async function stopOrphanedRedis(folder: string): Promise<boolean> {
  const pidFile = join(resolve(folder), 'redis.pid');
  const pid = readPid(pidFile);
  // The id may have gone to another server since, such as the machine's own after a reboot: ours works in its folder.
  if (pid === undefined || !isRedis(pid) || workingFolder(pid) !== realpathSync(folder)) return false;
  await endOrphan(pid, 'SIGTERM');
  rmSync(pidFile, { force: true });
  return true;
}

const isRedis = (pid: number): boolean => /(?:redis|valkey)-server/.test(commandLine(pid));

function describeServer(options: RedisOptions, folder: string): string {
  const settings: Record<string, string> = {
    bind: '127.0.0.1',
    port: String(options.port),
    requirepass: options.password,
    dir: `"${folder}"`,
    pidfile: `"${join(folder, 'redis.pid')}"`,
    daemonize: 'no',
    // Usage events are money: on disk within a second, never evicted.
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '""',
    'maxmemory-policy': 'noeviction',
    ...options.settings,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}

async function untilReady(server: Program, options: RedisOptions): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS; waitedMs += POLL_MS) {
    if (!server.isRunning()) {
      throw new Error(`Redis ended while starting (${await server.ended}):\n${server.lastWords()}`);
    }
    if ((await ping(options.port, options.password)).includes('+PONG')) return;
    await pause();
  }
  throw new Error(`Redis did not come up within ${START_TIMEOUT_MS / 1000} s:\n${server.lastWords()}`);
}

/** What the server answers to a PING; empty when it does not answer within half a second. While it loads its data that is `-LOADING`. */
function ping(port: number, password: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host: '127.0.0.1', port });
    const finish = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(500, finish);
    socket.on('error', finish);
    socket.on('end', finish);
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1');
      if (answer.includes('+PONG') || answer.includes('-LOADING')) finish();
    });
    socket.write(`AUTH ${password}\r\nPING\r\n`);
  });
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));

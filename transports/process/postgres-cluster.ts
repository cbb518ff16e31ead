/**
 * A PostgreSQL server of our own: makes its data folder once, starts it on the loopback address, waits until it answers. Which data it
 * holds is not its business.
 */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Program } from '../../actors/programs/program-actor.ts';
import { endOrphan } from './end-orphan.ts';
import { launchAsOurselves, launchAsUser, opensClosedFolders, type LaunchAs } from './launch-as.ts';
import { findNobody, settleOwner, type UserId } from './own-user-id.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import { commandLine } from './process-identity.ts';
import { startProgram } from './program.ts';

export interface PostgresOptions {
  /** Holds `data/`; created where missing. */
  readonly folder: string;
  readonly logFile: string;
  readonly port: number;
  /** Of the superuser `vello`; takes effect when the data folder is made. */
  readonly password: string;
  /** Further server settings (`fsync: 'off'`). */
  readonly settings?: Readonly<Record<string, string>>;
}

/** How long a server may need to come up; after a crash it first replays its log. */
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 15;

/** Whether the data folder is yet to be made. */
export const isNewCluster = (folder: string): boolean => !existsSync(join(folder, 'data', 'PG_VERSION'));

/** The URL under which the superuser reaches `database`. */
export const postgresUrl = (options: Pick<PostgresOptions, 'port' | 'password'>, database: string): string =>
  `postgres://vello:${options.password}@127.0.0.1:${options.port}/${database}`;

/**
 * Resolves once the server accepts connections.
 * @throws Error with the server's last words when it does not come up.
 */
export async function startPostgres(options: PostgresOptions): Promise<Program> {
  const binaries = postgresBinaries();
  const data = join(resolve(options.folder), 'data');
  mkdirSync(options.folder, { recursive: true });
  if (isNewCluster(options.folder)) await makeCluster(binaries, data, options.password);
  else await stopOrphanedPostgres(options.folder);
  const launchAs = isRoot()
    ? launchAsUser(settleOwner(data), [binaries, resolve(options.folder)])
    : launchAsOurselves();
  const launch = () => startServer(options, binaries, data, launchAs);
  for (let left = LEFTOVER_RETRIES; left > 0; left -= 1) {
    try {
      return await launch();
    } catch (error) {
      // The processes of a killed server take a moment to notice, and hold its memory until then.
      if (!/shared memory block .* is still in use/.test(String(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, LEFTOVER_PAUSE_MS));
    }
  }
  return launch();
}

const LEFTOVER_RETRIES = 20;
const LEFTOVER_PAUSE_MS = 250;

async function startServer(
  options: PostgresOptions,
  binaries: string,
  data: string,
  launchAs: LaunchAs,
): Promise<Program> {
  const server = await startProgram({
    name: 'PostgreSQL',
    command: join(binaries, 'postgres'),
    args: ['-D', data, ...serverSettings(options)],
    launchAs,
    logFile: options.logFile,
    // Fast shutdown: connections are closed and everything is written. SIGTERM would wait for clients to leave.
    stopSignal: 'SIGINT',
  });
  try {
    await untilReady(server, join(data, 'postmaster.pid'));
  } catch (error) {
    await server.stop(2_000);
    throw error;
  }
  return server;
}

/** Stops a server on this data folder that outlived the Vello that started it. Resolves to whether there was one. */
export async function stopOrphanedPostgres(folder: string): Promise<boolean> {
  const data = join(resolve(folder), 'data');
  const pid = Number(readPidFile(join(data, 'postmaster.pid'))[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !commandLine(pid).includes(data)) return false;
  await endOrphan(pid, 'SIGINT');
  return true;
}

const isRoot = (): boolean => process.getuid?.() === 0;

/**
 * Made beside its place and moved there once it is whole, so that an interrupted initdb leaves nothing that looks like a data folder.
 * initdb asks for the name of its user, so root has it run as `nobody`, who has one, and hands the folder over afterwards. Meanwhile the
 * folder around it is closed, and only initdb has the capability to pass: no other program of `nobody` gets at what it writes.
 */
async function makeCluster(binaries: string, data: string, password: string): Promise<void> {
  const folder = dirname(data);
  const draft = `${data}.new`;
  rmSync(draft, { recursive: true, force: true });
  rmSync(data, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  if (!isRoot()) {
    await runInitdb(binaries, draft, password, launchAsOurselves());
  } else {
    if (opensClosedFolders()) chmodSync(folder, 0o700);
    try {
      const nobody = findNobody();
      chownSync(draft, nobody.uid, nobody.gid);
      await runInitdb(binaries, draft, password, launchAsUser(nobody, [binaries, folder]), nobody);
      settleOwner(draft);
    } finally {
      chmodSync(folder, 0o711);
    }
  }
  renameSync(draft, data);
}

async function runInitdb(
  binaries: string,
  data: string,
  password: string,
  launchAs: LaunchAs,
  user?: UserId,
): Promise<void> {
  const passwordFile = `${data}.password`;
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  chmodSync(passwordFile, 0o600);
  if (user !== undefined) chownSync(passwordFile, user.uid, user.gid);
  // The built-in locale provider needs no locale installed on the machine and sorts the same everywhere.
  const { command, args } = launchAs.commandLine(
    join(binaries, 'initdb'),
    [
      ...['-D', data, '-U', 'vello', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8'],
      ...['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions'],
    ],
    'SIGTERM',
  );
  try {
    await promisify(execFile)(command, args, { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } });
  } catch (error) {
    rmSync(data, { recursive: true, force: true });
    const said = (error as { stderr?: string }).stderr?.trim() ?? '';
    throw new Error(`PostgreSQL's data folder ${data} cannot be made: ${said || (error as Error).message}`, {
      cause: error,
    });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

function serverSettings(options: PostgresOptions): string[] {
  const settings: Record<string, string> = {
    port: String(options.port),
    listen_addresses: '127.0.0.1',
    // No socket file: its folder would have to be writable for the other user and short enough for sun_path.
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '128MB',
    // Compiling a plan costs more than any of our queries.
    jit: 'off',
    timezone: 'UTC',
    ...options.settings,
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** The server writes its state into the eighth line of its pid file, which is what pg_ctl watches too. */
async function untilReady(server: Program, pidFile: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_TIMEOUT_MS; waitedMs += POLL_MS) {
    if (!server.isRunning()) {
      throw new Error(`PostgreSQL ended while starting (${await server.ended}):\n${server.lastWords()}`);
    }
    const lines = readPidFile(pidFile);
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return;
    await pause();
  }
  throw new Error(`PostgreSQL did not come up within ${START_TIMEOUT_MS / 1000} s:\n${server.lastWords()}`);
}

function readPidFile(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));

/** `vello start`: everything that must be true before the tree starts, then the tree, until somebody ends it. */
import { join, resolve } from 'node:path';
import { loadSettings } from '../config/load-settings.ts';
import { SETTINGS, type Settings } from '../config/settings.ts';
import { serverSearchPath } from '../transports/process/redis-binary.ts';
import { CommandError, UsageError, type Command, type Invocation } from './command.ts';
import { interruptible } from './interruptible.ts';
import { createProgress } from './progress.mjs';
import { stateRoot } from './project-root.ts';
import { checkAddresses, type WantedAddress } from './foundation/check-addresses.ts';
import { endOrphanedGateways } from './foundation/end-orphaned-gateways.ts';
import { handOverWarning } from './foundation/check-hand-over.ts';
import { chooseServers } from './foundation/choose-servers.ts';
import { settlePorts } from './foundation/settle-ports.ts';
import { openHome } from './foundation/home.ts';
import { ROLES, runSystem, type Demo, type RoleName } from './run-system.ts';

export const command: Command = {
  usage: 'start [flags]',
  doc:
    'Starts PostgreSQL and Redis where none is given (VELLO_DATABASE_URL, VELLO_REDIS_URL), then every role, and plays a\n' +
    'demonstration: a desktop registers and transcribes a recording. Stays until Ctrl-C, which ends all it started.\n' +
    'All state is below VELLO_HOME (.vello). Settings: docs/settings.md.',
  flags: {
    'no-demo': { type: 'boolean', doc: 'Start without the demonstration.' },
    'exit-after-demo': { type: 'boolean', doc: 'End after the demonstration: exit code 0 if it worked, else 1.' },
    processes: {
      type: 'string',
      value: 'n',
      doc: `With --roles gateway: so many gateway processes on one port, which vello restart replaces one by one.`,
    },
    roles: { type: 'string', value: 'a,b', doc: `Only these roles, of ${ROLES.join(', ')}. Without demonstration.` },
  },
  operands: 0,
  run: (invocation) => interruptible((signal) => start(invocation, signal)),
};

async function start(invocation: Invocation, signal: AbortSignal): Promise<number> {
  // It would end what is only starting: `systemctl reload` sends it at any time.
  process.on('SIGUSR2', () => undefined);
  const roles = readRoles(invocation.text('roles'));
  const processes = readProcesses(invocation.text('processes'), roles);
  const demo = readDemo(invocation, roles);
  const settings = await settlePorts(loadSettings(process.env));
  checkShared(roles, settings);
  const progress = createProgress(process.stdout);
  const home = openHome(resolve(stateRoot, settings.home));
  try {
    if (roles.includes('gateway') && settings.gatewayAdmission === 'open') {
      progress.say(
        '  ! ADMISSION IS OPEN (VELLO_GATEWAY_ADMISSION): whoever reaches the gateway uses the provider at your expense, unnamed.',
      );
    }
    if (roles.includes('gateway')) await endOrphanedGateways(home.file('gateway'), settings.drainMs, progress);
    await checkAddresses(listeners(settings, roles));
    const warning = processes === undefined ? undefined : handOverWarning();
    if (warning !== undefined) progress.say(`  ! ${warning}`);
    const cache = process.env['VELLO_CACHE'] ?? join(home.path, 'cache');
    const searchPath = serverSearchPath(process.env['PATH']);
    const servers = await chooseServers({
      needs: needsOf(roles),
      settings,
      home,
      progress,
      signal,
      searchPath,
      cache,
    });
    signal.throwIfAborted();
    return await runSystem({ settings, roles, processes, demo, home, servers, cache, progress, signal });
  } finally {
    home.release();
  }
}

function readRoles(written: string | undefined): readonly RoleName[] {
  if (written === undefined) return ROLES;
  const names = written.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !ROLES.some((role) => role === name));
  if (unknown.length > 0) throw new UsageError(`There is no role '${unknown.join("', '")}', only ${ROLES.join(', ')}`);
  return ROLES.filter((role) => names.includes(role));
}

const MOST_PROCESSES = 64;

function readProcesses(written: string | undefined, roles: readonly RoleName[]): number | undefined {
  if (written === undefined) return undefined;
  const processes = Number(written);
  if (!/^\d+$/.test(written) || processes < 1 || processes > MOST_PROCESSES)
    throw new UsageError(`--processes takes a whole number from 1 to ${MOST_PROCESSES}`);
  if (process.platform !== 'linux' && processes > 1)
    throw new UsageError('--processes above 1 needs Linux: other systems do not spread connections over a shared port');
  if (roles.join() !== 'gateway') throw new UsageError('--processes is for the gateway alone: add --roles gateway');
  return processes;
}

/** The api keeps everything in the database, and the collector registers its key there; the engine needs neither. */
function needsOf(roles: readonly RoleName[]): { readonly database: boolean; readonly redis: boolean } {
  return {
    database: roles.some((role) => role === 'api' || role === 'collector'),
    redis: roles.some((role) => role !== 'inference'),
  };
}

/** Roles that work with an api elsewhere meet it in PostgreSQL and Redis: servers of their own would be empty, and stay so. */
function checkShared(roles: readonly RoleName[], { databaseUrl, redisUrl, apiUrl }: Settings): void {
  const dependent = roles.filter((role) => role === 'gateway' || role === 'collector');
  if (dependent.length === 0 || roles.includes('api')) return;
  const needs = needsOf(roles);
  const servers = [
    ...(needs.database && databaseUrl === undefined ? ['VELLO_DATABASE_URL'] : []),
    ...(needs.redis && redisUrl === undefined ? ['VELLO_REDIS_URL'] : []),
  ];
  const missing = [
    ...(servers.length > 0 ? [`${servers.join(' and ')} to the servers that the api uses`] : []),
    ...(roles.includes('collector') && apiUrl === undefined ? ['VELLO_API_URL to the address of the api'] : []),
  ];
  if (missing.length === 0) return;
  throw new CommandError(
    `${dependent.join(' and ')} without api: set ${missing.join(', and ')}. ` +
      'Otherwise this process would never hear of a desktop, or give up its events.',
  );
}

function readDemo(invocation: Invocation, roles: readonly RoleName[]): Demo {
  const exits = invocation.has('exit-after-demo');
  if (exits && invocation.has('no-demo')) throw new UsageError('--no-demo and --exit-after-demo contradict each other');
  if (exits && roles.length < ROLES.length)
    throw new UsageError('The demonstration needs every role: leave out --roles');
  if (exits) return 'play-and-exit';
  return invocation.has('no-demo') || roles.length < ROLES.length ? 'skip' : 'play';
}

function listeners(settings: Settings, roles: readonly RoleName[]): WantedAddress[] {
  const ofRole = { api: 'apiListen', gateway: 'gatewayListen', inference: 'inferenceListen' } as const;
  const names = roles.flatMap((role) => (role === 'collector' ? [] : [ofRole[role]]));
  return [...names, 'adminListen' as const].map((name) => ({ ...settings[name], variable: SETTINGS[name].variable }));
}

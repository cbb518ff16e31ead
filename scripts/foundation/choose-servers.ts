/**
 * Decides where PostgreSQL and Redis come from: the given URL, checked, or a server of our own, described but not started. Starting and
 * stopping is the tree's affair.
 */
import type { Settings } from '../../config/settings.ts';
import type { OwnProgram } from '../../supervisors/roles/programs.ts';
import { findFreePort, probePort } from '../../transports/process/free-port.ts';
import {
  isNewCluster,
  postgresUrl,
  startPostgres,
  stopOrphanedPostgres,
} from '../../transports/process/postgres-cluster.ts';
import { redisUrl, startRedis, stopOrphanedRedis } from '../../transports/process/redis-server.ts';
import { CommandError } from '../command.ts';
import type { Progress } from '../progress.mjs';
import { checkDatabase } from './check-database.ts';
import { checkRedis } from './check-redis.ts';
import { newPassword, type Home, type ServerAddress } from './home.ts';
import { obtainRedis } from './obtain-redis.ts';

interface OwnServer extends OwnProgram {
  /** As people know it. */
  readonly name: string;
  readonly port: number;
}

export interface Servers {
  /** As administrator: may create roles. The empty string where no role of this process needs a database. */
  readonly databaseUrl: string;
  /** The empty string where no role of this process needs Redis. */
  readonly redisUrl: string;
  /** Servers of our own, for the tree to start first and stop last. */
  readonly local: readonly OwnServer[];
}

interface ServerChoice {
  /** What the roles of this process need. */
  readonly needs: { readonly database: boolean; readonly redis: boolean };
  readonly settings: Pick<Settings, 'databaseUrl' | 'redisUrl'>;
  readonly home: Home;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** The PATH to find programs in, and the folder for those that are fetched. */
  readonly searchPath: string;
  readonly cache: string;
}

/** @throws CommandError that says what is wrong with a given URL, or how to get what is missing. */
export async function chooseServers(choice: ServerChoice): Promise<Servers> {
  const local: OwnServer[] = [];
  const { needs } = choice;
  const given = {
    database: needs.database ? choice.settings.databaseUrl : undefined,
    redis: needs.redis ? choice.settings.redisUrl : undefined,
  };
  const database = given.database ?? (needs.database ? await prepareDatabase(choice, local) : '');
  const redis = given.redis ?? (needs.redis ? await prepareRedis(choice, local) : '');
  if (given.database !== undefined) {
    await choice.progress.step('PostgreSQL', async () => ({
      title: `PostgreSQL ${await checkDatabase(database)} as given`,
    }));
  }
  if (given.redis !== undefined) {
    const { warnings } = await choice.progress.step('Redis', async () => {
      const facts = await checkRedis(redis);
      return { ...facts, title: `Redis ${facts.version} as given` };
    });
    for (const warning of warnings) choice.progress.say(`  ! ${warning}`);
  }
  return { databaseUrl: database, redisUrl: redis, local };
}

async function prepareDatabase({ home, progress }: ServerChoice, local: OwnServer[]): Promise<string> {
  const folder = home.file('postgres');
  if (process.getuid?.() === 0) {
    progress.say(
      '  ! You are root, and so is Vello; PostgreSQL, which refuses that, runs under a user id that nothing else on this machine has.\n' +
        '    Start Vello as an ordinary user, or set VELLO_DATABASE_URL, for more than a look.',
    );
  }
  await stopOrphanedPostgres(folder);
  if (!isNewCluster(folder) && home.recall('postgres') === undefined) {
    throw new CommandError(
      `${folder} holds a database whose password was in ${home.file('services.json')}, which is gone. ` +
        `Put that file back, or remove ${folder} to start with an empty database.`,
    );
  }
  const address = await settleAddress(home, 'postgres');
  const options = { ...address, folder, logFile: home.file('logs', 'postgres.log') };
  local.push({ id: 'postgres', name: 'PostgreSQL', port: options.port, start: () => startPostgres(options) });
  return postgresUrl(options, 'postgres');
}

async function prepareRedis(choice: ServerChoice, local: OwnServer[]): Promise<string> {
  const { home, progress } = choice;
  const folder = home.file('redis');
  await stopOrphanedRedis(folder);
  const { path } = await progress.step('Redis', async (report) => {
    const found = await obtainRedis({ ...choice, report });
    return { ...found, title: `Redis ${found.version} found` };
  });
  const address = await settleAddress(home, 'redis');
  const options = { ...address, binary: path, folder, logFile: home.file('logs', 'redis.log') };
  local.push({ id: 'redis', name: 'Redis', port: options.port, start: () => startRedis(options) });
  return redisUrl(options);
}

/** The same port as last time where it is free, so that what people noted down stays true. The password was given to the data. */
async function settleAddress(home: Home, server: string): Promise<ServerAddress> {
  const last = home.recall(server);
  if (last !== undefined && (await probePort('127.0.0.1', last.port)) === 'free') return last;
  const address = { port: await findFreePort(), password: last?.password ?? newPassword() };
  home.remember(server, address);
  return address;
}

/** Finds a Redis server program for this machine, or fetches one from Debian's packages. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { findRedisBinary, redisCacheFolder } from '../../transports/process/redis-binary.ts';
import { CommandError } from '../command.ts';
import { unpackDebian } from './unpack-debian.ts';

export interface RedisSearch {
  /** Folder for what is downloaded. */
  readonly cache: string;
  /** The PATH to look in. */
  readonly searchPath: string;
  readonly signal: AbortSignal;
  readonly report: (detail: string) => void;
}

export interface RedisBinary {
  readonly path: string;
  /** `7.0.15` */
  readonly version: string;
}

const OLDEST_MAJOR = 7;
const REDIS = { packages: ['redis-server', 'redis-tools'], program: 'usr/bin/redis-server' };

/** Resolves to a program that runs. @throws CommandError that says how to get one. */
export async function obtainRedis(search: RedisSearch): Promise<RedisBinary> {
  const cache = resolve(search.cache);
  let path = findRedisBinary(search.searchPath, cache);
  if (path === undefined) {
    try {
      path = await unpackDebian({ ...REDIS, ...search, folder: redisCacheFolder(cache) });
    } catch (error) {
      if (search.signal.aborted) throw error;
      throw new CommandError(`Redis could not be obtained: ${(error as Error).message}\n${ADVICE}`);
    }
  }
  const version = await readVersion(path);
  if (Number.parseInt(version, 10) < OLDEST_MAJOR) {
    throw new CommandError(`${path} is version ${version}; Vello needs ${OLDEST_MAJOR} or newer.\n${ADVICE}`);
  }
  return { path, version };
}

const ADVICE =
  'Install it (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis; any redis-server or valkey-server on the PATH ' +
  'will do), or set VELLO_REDIS_URL to a Redis that runs elsewhere. Then run the same command again.';

async function readVersion(path: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 10_000 });
    const version = /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    if (version !== undefined) return version;
  } catch (error) {
    throw new CommandError(`${path} does not run: ${(error as Error).message.trim()}\n${ADVICE}`);
  }
  throw new CommandError(`${path} does not say which version it is.\n${ADVICE}`);
}

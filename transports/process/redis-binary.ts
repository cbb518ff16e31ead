/** Finds a Redis server program that is already on this machine: on the PATH, or unpacked into the cache by an earlier run. */
import { delimiter, join } from 'node:path';
import { findExecutable } from './launch-as.ts';

/** A PATH extended by where systems keep servers and an ordinary user's PATH does not look. */
export const serverSearchPath = (path: string | undefined): string =>
  [path ?? '', '/usr/bin', '/usr/local/bin', '/usr/sbin', '/usr/local/sbin'].join(delimiter);

/** The folder below the cache into which a downloaded server is unpacked. */
export const redisCacheFolder = (cache: string): string => join(cache, 'redis');

/** Returns the path of `redis-server` or `valkey-server`, or `undefined` where there is neither. */
export function findRedisBinary(searchPath: string, cache: string): string | undefined {
  const folders = searchPath.split(delimiter).filter((folder) => folder !== '');
  return (
    findExecutable('redis-server', folders) ??
    findExecutable('valkey-server', folders) ??
    findExecutable('redis-server', [redisCacheFolder(cache)])
  );
}

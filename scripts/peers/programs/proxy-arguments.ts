/** What each proxy of npm is started with: where to send requests, where to listen, and where its packages are. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [upstream = '', port = '0', folder = ''] = process.argv.slice(2);

export const upstreamUrl = upstream;
export const listenPort = Number(port);

/** A package of the folder in which it was fetched. */
export async function loadFetched(name: string): Promise<Readonly<Record<string, unknown>>> {
  const path = createRequire(join(folder, 'package.json')).resolve(name);
  return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
}

/** What the gateway's benchmark compares: each a server of its own before the same provider. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { haproxyTuned } from '../../peers/haproxy.ts';
import { nginxLua } from '../../peers/nginx-lua.ts';
import { nginxUnbuffered } from '../../peers/nginx.ts';
import { portkey, replyFrom } from '../../peers/node-proxies.ts';
import type { PeerWorld } from '../../peers/peer.ts';
import { startVello } from '../../peers/vello.ts';

export interface BenchArm {
  readonly name: string;
  readonly url: string;
  /** Its process, with children; absent for the provider itself. */
  readonly pid?: number;
  /** What it asks of a client beside the usual. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether it adds one event to the streams for each request. */
  readonly reports: boolean;
}

export const DIRECT = 'direct, no proxy';
export const VELLO = 'Vello';
export const FLOOR = 'the floor in Node.js';
export const [NGINX, NGINX_LUA, PORTKEY] = [nginxUnbuffered.name, nginxLua.name, portkey.name];

const BENCH_PEERS = [nginxUnbuffered, nginxLua, haproxyTuned, replyFrom, portkey];

export interface Arms {
  readonly arms: readonly BenchArm[];
  /** Why others are not among them. */
  readonly missing: readonly string[];
}

/** Those whose names are wanted; `ends` gets what stops each of them. */
export async function startArms(
  world: PeerWorld,
  isWanted: (name: string) => boolean,
  ends: (() => unknown)[],
): Promise<Arms> {
  const arms: BenchArm[] = [{ name: DIRECT, url: world.upstreamUrl, headers: {}, reports: false }];
  const missing: string[] = [];
  if (isWanted(VELLO)) {
    const vello = await startVello(world);
    ends.push(() => vello.stop());
    arms.push({ ...vello, reports: true });
  }
  const fork = async (name: string, reports: boolean, file: string, ...args: string[]) => {
    if (!isWanted(name)) return;
    const { child, port } = await forkPart(file, ...args);
    ends.push(() => child.kill());
    arms.push({ name, url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0, headers: {}, reports });
  };
  await fork(`${VELLO}, without events`, false, 'measured-gateway', world.upstreamUrl, world.token);
  await fork(FLOOR, true, 'floor', world.upstreamUrl, world.redisUrl, world.token);
  for (const peer of BENCH_PEERS) {
    if (!isWanted(peer.name)) continue;
    const started = await peer.start(world);
    if ('missing' in started) {
      missing.push(`${started.name}: ${started.missing}`);
      continue;
    }
    ends.push(() => started.stop());
    arms.push({ ...started, reports: peer.doesWholeJob });
  }
  return { arms, missing };
}

/** A file of this folder as a process, which sends its port. */
export async function forkPart(file: string, ...args: string[]): Promise<{ child: ChildProcess; port: number }> {
  const path = fileURLToPath(new URL(`./${file}.js`, import.meta.url));
  const child = fork(path, args);
  const [port] = (await once(child, 'message')) as [number];
  return { child, port };
}

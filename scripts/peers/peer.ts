/** What a peer of the gateway is, and how one is started: another proxy before the same provider, in a process of its own, on a free port of the loopback. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Program } from '../../actors/programs/program-actor.ts';
import { findFreePort } from '../../transports/process/free-port.ts';
import { launchAsOurselves } from '../../transports/process/launch-as.ts';
import { startProgram } from '../../transports/process/program.ts';

/** What stands around a peer. */
export interface PeerWorld {
  /** Origin of the provider. */
  readonly upstreamUrl: string;
  /** What a peer that admits lets in, as a bearer token. */
  readonly token: string;
  /** What a peer that injects the provider's key puts in its place. */
  readonly providerKey: string;
  /** Where a peer that reports adds its events. */
  readonly redisUrl: string;
  /** The folder below which fetched programs are (VELLO_CACHE). */
  readonly cache: string;
}

export interface RunningPeer {
  readonly name: string;
  readonly url: string;
  /** Its process, which may have children. */
  readonly pid: number;
  readonly version: string;
  /** What it asks of a client beside the usual. */
  readonly headers: Readonly<Record<string, string>>;
  isRunning(): boolean;
  /** Resolves when it has ended: in order where it can do that within `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

/** A peer that cannot be started here. */
export interface MissingPeer {
  readonly name: string;
  /** Why. */
  readonly missing: string;
}

export interface GatewayPeer {
  readonly name: string;
  /** It asks callers for their token, gives the provider its key, and adds one event to the streams for each request. */
  readonly doesWholeJob: boolean;
  start(world: PeerWorld): Promise<RunningPeer | MissingPeer>;
}

interface PeerProgram {
  readonly name: string;
  readonly version: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The command line and what it finds in its environment; `folder` is the peer's own, and empty. */
  command(port: number, folder: string): readonly [string, ...string[]];
  environment?(port: number, folder: string): Readonly<Record<string, string>>;
  /** Whether it serves yet; otherwise that is so as soon as its port is open. */
  readonly isReady?: () => Promise<boolean>;
}

/** Resolves once it listens. @throws Error with its last words when it does not */
export async function startPeerProgram(peer: PeerProgram): Promise<RunningPeer> {
  const folder = mkdtempSync(join(tmpdir(), 'vello-peer-'));
  const port = await findFreePort();
  const [command, ...args] = peer.command(port, folder);
  const { NODE_OPTIONS } = process.env;
  const nodeOptions: Record<string, string> = NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS };
  const program = await startProgram({
    ...{ name: peer.name, command, args, launchAs: launchAsOurselves(), stopSignal: 'SIGTERM' },
    ...{ logFile: join(folder, 'log'), environment: { ...nodeOptions, ...peer.environment?.(port, folder) } },
  });
  const stop = async (graceMs = 2_000) => {
    await program.stop(graceMs);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(peer.name, program, peer.isReady ?? (() => isOpen(port)));
  } catch (error) {
    await stop();
    throw error;
  }
  const { name, version, headers = {} } = peer;
  return {
    name,
    version,
    headers,
    url: `http://127.0.0.1:${port}`,
    pid: program.pid,
    isRunning: () => program.isRunning(),
    stop,
  };
}

const MOST_LOOKS = 400;
const LOOK_MS = 50;

async function untilReady(name: string, program: Program, isReady: () => Promise<boolean>): Promise<void> {
  for (let looks = 0; looks < MOST_LOOKS && program.isRunning(); looks += 1) {
    if (await isReady()) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`${name} does not serve:\n${program.lastWords()}`);
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });
}

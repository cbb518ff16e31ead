/** Plays cases on servers: starts each before a provider of its own, and adds up what came out on its routes. */
import { setTimeout as pause } from 'node:timers/promises';
import { PEERS } from '../peers/all-peers.ts';
import type { GatewayPeer, MissingPeer, PeerWorld, RunningPeer } from '../peers/peer.ts';
import { startVello } from '../peers/vello.ts';
import { openScriptedUpstream } from './scripted-upstream.ts';
import { no, Stage, within, type Arm, type ConformanceCase, type Finding } from './stage.ts';
import { OUR_ROUTES, PEERS_ROUTES, type TestedRoute } from './tested-route.ts';

export const OURS = 'Vello';

/** By the names of the columns. */
export const COLUMN_NAMES: readonly string[] = [OURS, ...PEERS.map(({ name }) => name)];

/** What stands around all of them. */
export type ConformanceWorld = Pick<PeerWorld, 'redisUrl' | 'cache'>;

/** One process of a server before a provider of its own, with the routes that are played on it. */
export interface Lane {
  readonly arm: Arm;
  readonly routes: readonly TestedRoute[];
  /** Starts another process where this one has ended, and says whether it had. */
  revive(): Promise<boolean>;
  close(): Promise<void>;
}

export interface Column {
  readonly name: string;
  readonly version: string;
  /** More than one where there are many routes, so that what waits on one does not keep the others waiting. */
  readonly lanes: readonly Lane[];
  close(): Promise<void>;
}

const TOKEN = 'a-token-of-the-client-0123456789';
const PROVIDER_KEY = 'sk-key-of-the-provider-0123456789';
const ROUTES_IN_A_LANE = 3;
/** Longer than any case takes that ends. */
const MOST_MS = { quick: 10_000, measured: 30_000, patient: 30_000 };

export async function openColumn(name: string, world: ConformanceWorld): Promise<Column | MissingPeer> {
  const peer = PEERS.find((one) => one.name === name);
  const routes = peer === undefined ? OUR_ROUTES : PEERS_ROUTES;
  const parts = Array.from({ length: Math.ceil(routes.length / ROUTES_IN_A_LANE) }, (_, at) =>
    routes.slice(at * ROUTES_IN_A_LANE, (at + 1) * ROUTES_IN_A_LANE),
  );
  const opened = await Promise.all(parts.map((part) => openLane(peer, part, world)));
  const lanes = opened.flatMap((lane) => ('missing' in lane ? [] : [lane]));
  const close = async () => {
    await Promise.all(lanes.map((lane) => lane.close()));
  };
  const missing = opened.find((lane) => 'missing' in lane);
  if (missing === undefined) return { name, version: lanes[0]?.arm.running.version ?? '', lanes, close };
  await close();
  return missing;
}

/** `peer` undefined: our own. */
async function openLane(
  peer: GatewayPeer | undefined,
  routes: readonly TestedRoute[],
  around: ConformanceWorld,
): Promise<Lane | MissingPeer> {
  const name = peer?.name ?? OURS;
  const upstream = await openScriptedUpstream();
  const world: PeerWorld = { ...around, upstreamUrl: upstream.url, token: TOKEN, providerKey: PROVIDER_KEY };
  const start = async (): Promise<RunningPeer> => {
    const started = await (peer === undefined ? startVello(world) : peer.start(world));
    if ('missing' in started) throw new Error(started.missing);
    return started;
  };
  let running: RunningPeer;
  try {
    running = await start();
  } catch (error) {
    upstream.stop();
    return { name, missing: (error as Error).message };
  }
  const doesWholeJob = peer?.doesWholeJob ?? true;
  const arm: Arm = { doesWholeJob, running, token: TOKEN, providerKey: PROVIDER_KEY, upstream, startAnother: start };
  return {
    arm,
    routes,
    revive: async () => {
      if (arm.running.isRunning()) return false;
      await arm.running.stop();
      arm.running = await start();
      return true;
    },
    close: async () => {
      await arm.running.stop();
      upstream.stop();
    },
  };
}

/** What came out on all routes together. */
export interface CaseOutcome extends Finding {
  /** Where it is not as it should be. */
  readonly holes: readonly { readonly route: string; readonly cell: string; readonly detail: string }[];
}

interface FoundOnRoute {
  readonly route: string;
  readonly finding: Finding;
}

export async function playCase(one: ConformanceCase, { lanes }: Pick<Column, 'lanes'>): Promise<CaseOutcome> {
  const found: FoundOnRoute[] = [];
  if (one.pace === 'measured') for (const lane of lanes) found.push(...(await playOnLane(one, lane)));
  else found.push(...(await Promise.all(lanes.map((lane) => playOnLane(one, lane)))).flat());
  return outcomeOf(found);
}

/** Plays them in turn on each lane, none of which waits for the others; only where nothing tells times. The outcomes, in the order of the cases. */
export function playAlongLanes(
  cases: readonly ConformanceCase[],
  { lanes }: Pick<Column, 'lanes'>,
): readonly Promise<CaseOutcome>[] {
  const onLanes = lanes.map((lane) => {
    let before: Promise<unknown> = Promise.resolve();
    return cases.map((one) => {
      const found = before.then(async () => playOnLane(one, lane));
      before = found;
      return found;
    });
  });
  return cases.map((_, at) => {
    const outcome = Promise.all(onLanes.flatMap((found) => found[at] ?? [])).then((found) => outcomeOf(found.flat()));
    // It may be looked at later than it fails.
    outcome.catch(() => undefined);
    return outcome;
  });
}

function outcomeOf(found: readonly FoundOnRoute[]): CaseOutcome {
  const holes = found.flatMap(({ route, finding: { isGood, cell, detail = cell } }) =>
    isGood === false ? [{ route, cell, detail }] : [],
  );
  const shown = holes[0]?.cell ?? found[0]?.finding.cell ?? '-';
  const isGood = holes.length > 0 ? false : found.some(({ finding }) => finding.isGood === true) ? true : undefined;
  return { isGood, cell: shown, holes };
}

async function playOnLane(one: ConformanceCase, lane: Lane): Promise<readonly FoundOnRoute[]> {
  const found: FoundOnRoute[] = [];
  for (const route of lane.routes.filter((candidate) => one.on?.(candidate) ?? true)) {
    const finding = await playOn(one, new Stage(lane.arm, route));
    // A process that dies of a request takes a moment for it.
    if (finding.isGood === false) await pause(100);
    const hasEnded = await lane.revive();
    found.push({ route: `${route.method} ${route.path}`, finding: hasEnded ? no('ENDS ITS PROCESS') : finding });
  }
  return found;
}

async function playOn(one: ConformanceCase, stage: Stage): Promise<Finding> {
  let finding = no('hangs');
  const played = one.play(stage).then(
    (result) => (finding = result),
    (error: unknown) => (finding = no((error as Error).message.slice(0, 60))),
  );
  await within(MOST_MS[one.pace], played);
  stage.close();
  stage.upstream.forget();
  return finding;
}

/** Several gateway processes as one, for whoever looks in: the metrics of all, the tree of each below its actor, and whether anybody serves. */
import type { GatewayDirectory, GatewayQuestion } from '../actors/programs/gateway-process.ts';
import type { ActorSystem } from '../actors/kernel/actor-system.ts';
import type { ActorSnapshot, SystemSnapshot } from '../actors/kernel/snapshot.ts';
import type { AdminView } from '../transports/http/admin/admin.ts';
import { mergeExpositions } from '../transports/telemetry/merge-expositions.ts';
import type { PrometheusMetrics } from '../transports/telemetry/prometheus-metrics.ts';
import type { Drain } from './drain.ts';
import { readinessOf, type Readiness } from './health.ts';
import { ROOT } from './root.ts';

export interface OverviewParts {
  readonly system: ActorSystem;
  readonly metrics: PrometheusMetrics;
  readonly drain: Drain;
  readonly directory: GatewayDirectory;
}

export function overviewOf({ system, metrics, drain, directory }: OverviewParts): AdminView {
  /** Who does not answer is left out: what the others say is not withheld for it. */
  const askAll = async <T>(question: GatewayQuestion): Promise<ReadonlyMap<string, T>> => {
    const answers = await Promise.all(
      [...directory].map(async ([id, process]) => [id, await process.ask(question).catch(() => undefined)] as const),
    );
    return new Map(answers.filter(([, answer]) => answer !== undefined) as [string, T][]);
  };

  const whole = async (): Promise<SystemSnapshot> => {
    const below = await askAll<SystemSnapshot>({ about: 'actors', path: undefined });
    const own = system.snapshot();
    const snapshots = [own, ...below.values()];
    return {
      ...own,
      liveActors: sum(snapshots.map(({ liveActors }) => liveActors)),
      deadLetters: {
        counts: Object.fromEntries(
          Object.keys(own.deadLetters.counts).map((reason) => [
            reason,
            sum(snapshots.map(({ deadLetters }) => deadLetters.counts[reason] ?? 0)),
          ]),
        ),
        recent: snapshots.flatMap(({ deadLetters }) => deadLetters.recent),
      },
      tree: own.tree.map((root) => graft(root, below)),
    };
  };

  return {
    metrics: {
      contentType: metrics.contentType,
      expose: async () => {
        const texts = await askAll<string>({ about: 'metrics' });
        const bySlot = [...texts].flatMap(([id, text]): [number, string][] => {
          const slot = directory.get(id)?.slot;
          return slot === undefined ? [] : [[slot, text]];
        });
        return mergeExpositions(await metrics.expose(), new Map(bySlot));
      },
    },
    actors: async (path) => {
      if (path === undefined) return whole();
      const [, at, id, within] = IN_A_PROCESS.exec(path) ?? [];
      if (at === undefined || id === undefined) return system.snapshotOf(path);
      const asked = directory.get(id)?.ask({ about: 'actors', path: within });
      const found = (await asked?.catch(() => undefined)) as ActorSnapshot | undefined;
      return found === undefined ? undefined : relocate(found, at);
    },
    readiness: (): Readiness => {
      const all = readinessOf(system, ROOT, drain);
      // Those that are up serve for those that are not.
      const serves = [...directory.values()].some((process) => process.isRunning() && process.health.isReady);
      return { ...all, isReady: serves && !drain.isDraining };
    },
  };
}

/** The tree of a process hangs below its actor. */
const IN_A_PROCESS = new RegExp(`^(${ROOT}/gateway/(process-\\d+))/(${ROOT}(?:/.*)?)$`);

function graft(actor: ActorSnapshot, below: ReadonlyMap<string, SystemSnapshot>): ActorSnapshot {
  const own = below.get(actor.id);
  if (own !== undefined) return { ...actor, children: own.tree.map((root) => relocate(root, actor.path)) };
  if (actor.children === undefined) return actor;
  return { ...actor, children: actor.children.map((child) => graft(child, below)) };
}

function relocate(actor: ActorSnapshot, at: string): ActorSnapshot {
  const path = `${at}/${actor.path}`;
  if (actor.children === undefined) return { ...actor, path };
  return { ...actor, path, children: actor.children.map((child) => relocate(child, at)) };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/**
 * One of several gateway processes that share a port: running while the actor is, its death the actor's failure, and replaced on request, the
 * successor first. What the processes say to each other, and how one is started, is left to the port.
 */
import { LIMITS } from '../../config/limits.ts';
import type { ActorDefinition } from '../kernel/actor.ts';
import type { Reply } from '../kernel/ref.ts';
import type { DrainPlan } from '../ports/drain.ts';
import type { Program } from './program-actor.ts';

export interface GatewayHealth {
  readonly isReady: boolean;
  readonly waitingFor: readonly string[];
  readonly problems: Readonly<Record<string, string>>;
}

/** `actors`: the whole tree, or what lives at a path. */
export type GatewayQuestion =
  { readonly about: 'metrics' } | { readonly about: 'actors'; readonly path: string | undefined };

export interface GatewayProcess extends Program {
  /** Which of the home's folders for gateways it has. */
  readonly slot: number;
  /** As it said last. */
  readonly health: GatewayHealth;
  /** Since it said anything; what turns says something every second. */
  silentMs(): number;
  /** Resolves to whether it became ready within `withinMs`; false at once when it ends. */
  becomesReady(withinMs: number): Promise<boolean>;
  /** @throws Error where it does not answer in time */
  ask(question: GatewayQuestion): Promise<unknown>;
  /** Has it end because another goes on; kills after `graceMs`. Resolves when it is gone. */
  handOver(graceMs: number): Promise<void>;
}

/** Those that serve now, by the id of their actor. */
export type GatewayDirectory = Map<string, GatewayProcess>;

interface Renew {
  readonly type: 'renew';
  /** Of what went wrong; undefined where nothing did. */
  readonly reply: Reply<string | undefined>;
}

interface ProcessEnded {
  readonly type: 'ended';
  readonly process: GatewayProcess;
  readonly how: string;
}

interface Look {
  readonly type: 'look';
}

export type GatewayProcessMessage = Renew | ProcessEnded | Look;

export interface GatewayProcessOptions {
  readonly id: string;
  /** Resolves once it says something of itself; leaves nothing behind where it rejects. */
  readonly start: (signal: AbortSignal) => Promise<GatewayProcess>;
  readonly directory: GatewayDirectory;
  readonly drain: DrainPlan;
  /** What an orderly end of one may take. */
  readonly graceMs: number;
}

const { readyMs, lookMs, mostSilentMs } = LIMITS.gatewayProcesses;

/** The longest that a renewal takes: a start, a wait for readiness, an end. */
export const renewalMs = (graceMs: number): number => 2 * readyMs + 2 * graceMs;

export function gatewayProcessActor(options: GatewayProcessOptions): ActorDefinition<GatewayProcessMessage> {
  const { id, directory, drain, graceMs } = options;
  return {
    type: 'gateway-process',
    handlerDeadlineMs: renewalMs(graceMs),
    async start(ctx) {
      const living = new Set<GatewayProcess>();
      const stopping = new AbortController();
      const signal = AbortSignal.any([ctx.signal, stopping.signal]);
      /** The last launch, which never rejects here. */
      let launched: Promise<unknown> = Promise.resolve();

      const launchOne = async () => {
        const process = await options.start(signal);
        living.add(process);
        void process.ended.then((how) => {
          living.delete(process);
          ctx.self.tell({ type: 'ended', process, how });
        });
        if (!signal.aborted) return process;
        // It came up in the very moment in which it was not wanted any more: nobody else knows of it.
        await process.stop(graceMs);
        await process.ended;
        throw new Error(`${id} is to end`);
      };

      const launch = () => {
        const launching = launchOne();
        launched = launching.catch(() => undefined);
        return launching;
      };

      let current = await launch();
      directory.set(id, current);

      const stopAll = async () => {
        stopping.abort();
        const ends = [...living].map(async (process) => {
          await process.stop(graceMs);
          return process.ended;
        });
        const [hows] = await Promise.all([Promise.all(ends), launched]);
        const unclean = hows.filter((how) => how !== CLEAN);
        if (unclean.length > 0) throw new Error(`${id} did not end as asked: ${unclean.join(', ')}`);
      };

      /** Both serve for a moment. */
      const renew = async (): Promise<string | undefined> => {
        const successor = await launch();
        if (!(await successor.becomesReady(readyMs))) {
          const { waitingFor, problems } = successor.health;
          const words = successor.isRunning() ? [...waitingFor, ...Object.values(problems)] : [successor.lastWords()];
          await successor.stop(graceMs);
          return `the new process did not become ready: ${words.join(', ')}`;
        }
        const former = current;
        current = successor;
        directory.set(id, successor);
        await former.handOver(graceMs);
        const how = await former.ended;
        if (how !== CLEAN) ctx.log.warn('a gateway process was replaced, and something was cut off', { how });
        return undefined;
      };

      /** Twice in a row: after a pause of this whole machine the first look comes before what was said is heard. */
      let wasSilent = false;
      const look = () => {
        const isSilent = current.silentMs() > mostSilentMs;
        // What does not turn takes connections and never answers them.
        if (isSilent && wasSilent) current.signal('SIGKILL');
        wasSilent = isSilent;
      };

      const withdraw = drain.on('finish', id, stopAll);
      ctx.timers.every('look', lookMs, { type: 'look' });
      return {
        async receive(message) {
          if (message.type === 'renew') {
            message.reply.ok(await renew().catch((error: unknown) => (error as Error).message));
          } else if (message.type === 'look') {
            look();
          } else if (message.process === current && !stopping.signal.aborted) {
            throw new Error(`${id} ended by itself (${message.how}): ${current.lastWords()}`);
          }
        },
        async stop({ kind }) {
          withdraw();
          if (directory.get(id) === current) directory.delete(id);
          if (kind === 'killed') for (const process of living) process.signal('SIGKILL');
          else await stopAll();
        },
        ready: () => current.isRunning() && current.health.isReady,
        describe: () => ({
          pid: current.pid,
          slot: current.slot,
          ...(current.health.isReady ? {} : { problem: problemOf(current.health) }),
        }),
      };
    },
  };
}

/** The exit code of an end at which nothing was cut off. */
const CLEAN = 'exit code 0';

const problemOf = ({ waitingFor, problems }: GatewayHealth): string =>
  waitingFor.map((path) => (problems[path] === undefined ? path : `${path}: ${problems[path]}`)).join('; ');

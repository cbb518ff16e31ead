/** The gateway as a tree: its stores, the grants and prompts it follows, the providers it calls, the events it owes, and last the listener. */
import { createAdmission, openAdmission } from '../../actors/admission/admission.ts';
import { createGrantTable } from '../../actors/admission/grant-table.ts';
import { grantsFollower } from '../../actors/admission/grants-follower.ts';
import type { EventOutlet } from '../../actors/events/event-outlet.ts';
import { createConfigHolder, type ProviderDirectory } from '../../actors/relay/gateway-config.ts';
import { createEventEmitter, eventEmitterActor } from '../../actors/events/event-emitter.ts';
import { promptsFollower, type PromptSource, type PromptTable } from '../../actors/prompts/prompts-follower.ts';
import { owned } from '../../actors/kernel/owned.ts';
import { createLiveCalls } from '../../actors/live/live-calls.ts';
import type { Settings } from '../../config/settings.ts';
import { listener } from '../../transports/http/server/listener.ts';
import type { HttpServer } from '../../transports/http/server/server.ts';
import { createLiveEndpoint } from '../../transports/live/live-endpoint.ts';
import { createRealtimeCaller } from '../../transports/live/realtime-line.ts';
import { providerActor } from '../../transports/proxy/provider-actor.ts';
import { createRelay } from '../../transports/proxy/relay.ts';
import { supervisor, worker, type SupervisorSpec } from '../child-spec.ts';
import { DynamicChildren } from '../dynamic-children.ts';
import type { GatewayParts } from '../gateway-parts.ts';

type GatewaySettings = Pick<
  Settings,
  'corsOrigins' | 'gatewayAdmission' | 'gatewayListen' | 'gatewayRequestsPerUser' | 'trustProxy' | 'drainMs'
>;

/** What is ended at the deadline still owes an answer and an event: they get the end of the time. */
const ENDING_MS = 500;
/** uWebSockets.js closes a connection that was idle for ten seconds, and looks every four. */
const IDLE_CONNECTIONS_MS = 15_000;

export function gatewayRole(parts: GatewayParts, settings: GatewaySettings): SupervisorSpec {
  const { clock, drain, log, metrics, newId, sharesPort, spool, journal } = parts;
  const stores = owned('gateway-stores', parts.openStores);
  const config = createConfigHolder(parts.config);
  const providers: ProviderDirectory = new Map();
  const table = createGrantTable(() => clock.now());
  const source = { find: async (tokenHash: string) => stores.use().grants.find(tokenHash) };
  const prompts: PromptTable = new Map();
  const promptSource: PromptSource = { newerThan: async (known) => stores.use().prompts.newerThan(known) };
  const outlet: EventOutlet = {
    send: async (events, sentBefore) => stores.use().outlet.send(events, sentBefore),
  };
  const emitter = createEventEmitter({ outlet, spool, journal, clock, log, metrics });
  const isOpen = settings.gatewayAdmission === 'open';
  if (isOpen) log.warn('ADMISSION IS OPEN: whoever reaches the gateway uses the provider at your expense, unnamed');
  const admission = isOpen
    ? openAdmission
    : createAdmission({ table, source, requestsPerUser: settings.gatewayRequestsPerUser, clock, metrics });
  const world = { admission, config: config.current, providers, events: emitter, clock, log, metrics, newId };
  const relay = createRelay({ ...world, prompts });
  const liveSessions = new DynamicChildren();
  const calls = createLiveCalls({ ...world, children: liveSessions });
  const { gatewayListen: address, corsOrigins, trustProxy, drainMs } = settings;
  const serve = (server: HttpServer) => {
    relay.attach(server);
    const live = createLiveEndpoint({ ...world, calls, callRealtime: createRealtimeCaller({ clock, log }) });
    live.attach(server);
    const answerMs = drainMs - Math.min(ENDING_MS, drainMs / 4);
    const endWithin = async (ms: number) => {
      await Promise.all([relay.drain(ms), live.drain(ms)]);
    };
    const finish = () => endWithin(answerMs);
    // Every answer is by now the last of its connection; one that was closed here might have the next request on its way to us.
    const handOver = async () => {
      const startedMs = clock.monotonicMs();
      await server.deserted(Math.min(IDLE_CONNECTIONS_MS, drainMs / 2));
      await endWithin(answerMs - (clock.monotonicMs() - startedMs));
    };
    // Requests end here before the roles they need do: the provider may be our own inference role.
    const join = () => [
      drain.on('stopAccepting', 'gateway listener', () => server.stopAccepting()),
      drain.on('finish', 'gateway requests', () => (drain.handsOver ? handOver() : finish())),
    ];
    return { finish, join, describe: () => ({ active: relay.activeCount, live: calls.activeCount }) };
  };
  const listening = listener({
    listener: 'gateway',
    address,
    sharesPort,
    corsOrigins,
    trustProxy,
    drainMs,
    clock,
    log,
    metrics,
    serve,
  });
  const perProvider = parts.config.providers.map((provider) =>
    worker(provider.name, providerActor({ provider, directory: providers, clock, metrics })),
  );
  const budget = { strategy: 'oneForOne', intensity: 20, periodMs: 60_000 } as const;
  return {
    ...budget,
    children: [
      worker('stores', stores),
      worker('grants', () => grantsFollower({ table, source: () => stores.use().grants, metrics })),
      worker('prompts', () => promptsFollower(prompts, promptSource)),
      supervisor('provider', { ...budget, children: perProvider }),
      worker('events', () => eventEmitterActor(emitter, drain), { shutdownMs: 10_000 }),
      supervisor('live', { ...budget, children: [], dynamic: liveSessions }),
      worker('listener', listening, { shutdownMs: drainMs + 2_000 }),
    ],
  };
}

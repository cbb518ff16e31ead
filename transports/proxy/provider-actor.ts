/** Owns one provider's connections: opens the pool, lists the provider as available, and takes both back at the end. */
import type { ActorDefinition } from '../../actors/kernel/actor.ts';
import { owned } from '../../actors/kernel/owned.ts';
import type { Clock } from '../../actors/ports/clock.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import type { ProviderConfig, ProviderDirectory } from '../../actors/relay/gateway-config.ts';
import { createProviderKeys } from '../../actors/relay/provider-key.ts';
import { LIMITS } from '../../config/limits.ts';
import { ANSWER_HEADERS } from './header-policy.ts';
import { createUpstreamPool, type UpstreamPool } from './upstream/upstream-pool.ts';

export interface ProviderActorParts {
  readonly provider: ProviderConfig;
  readonly directory: ProviderDirectory;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export function providerActor({ provider, directory, clock, metrics }: ProviderActorParts): ActorDefinition<never> {
  const { name, baseUrl, keys, isOwn = false, countsStreams = true } = provider;
  let pool: UpstreamPool | undefined;
  const stats = () => pool?.stats() ?? { open: 0, busy: 0 };
  metrics.onScrape(() => {
    const { open, busy } = stats();
    metrics.gauge('vello_gateway_upstream_connections', { provider: name, state: 'open' }, open);
    metrics.gauge('vello_gateway_upstream_connections', { provider: name, state: 'busy' }, busy);
  });
  return owned(
    'provider',
    () => {
      const kept = isOwn ? { keepAliveMs: LIMITS.upstream.ownKeepAliveMs } : {};
      const mine = createUpstreamPool(baseUrl, { clock, headers: ANSWER_HEADERS, ...kept });
      pool = mine;
      directory.set(name, { name, upstream: mine, keys: createProviderKeys(keys), isOwn, countsStreams });
      const close = () => {
        directory.delete(name);
        pool = undefined;
        // The listener stopped before: what is still under way has no exchange any more.
        return mine.destroy();
      };
      return { close };
    },
    { describe: () => ({ ...stats(), keys: keys.length }) },
  );
}

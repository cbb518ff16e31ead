/** Our gateway for its benchmark: the relay as it runs, one grant in memory, events made and counted but not sent. A process of its own; sends its port. */
import '../../young-objects.ts';
import { createHash } from 'node:crypto';
import { newId } from '../../../actors/identity/new-id.ts';
import { createAdmission } from '../../../actors/admission/admission.ts';
import { createGrantTable } from '../../../actors/admission/grant-table.ts';
import { singleProviderConfig, type ProviderDirectory } from '../../../actors/relay/gateway-config.ts';
import { createProviderKeys, ProviderKey } from '../../../actors/relay/provider-key.ts';
import { flattenUsageEvent } from '../../../actors/events/usage-event.ts';
import { createHttpServer } from '../../../transports/http/server/server.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';
import { createRelay } from '../../../transports/proxy/relay.ts';
import { ANSWER_HEADERS } from '../../../transports/proxy/header-policy.ts';
import { createUpstreamPool } from '../../../transports/proxy/upstream/upstream-pool.ts';
import { createJsonLog } from '../../../transports/telemetry/json-log.ts';
import { createPrometheusMetrics } from '../../../transports/telemetry/prometheus-metrics.ts';

const [baseUrl = '', token = ''] = process.argv.slice(2);
const clock = systemClock;
const log = createJsonLog({ level: 'silent', write: () => undefined });
const metrics = createPrometheusMetrics();
const table = createGrantTable(() => clock.now());
table.apply({
  op: 'issue',
  grant: {
    tokenHash: createHash('sha256').update(token).digest('base64url'),
    userId: newId(),
    deviceId: newId(),
    familyId: newId(),
    expiresAtMs: clock.now() + 86_400_000,
  },
});
const keys = [new ProviderKey('bench', 'sk-bench-0123456789')];
const providers: ProviderDirectory = new Map([
  [
    'mock',
    {
      name: 'mock',
      upstream: createUpstreamPool(baseUrl, { clock, headers: ANSWER_HEADERS }),
      keys: createProviderKeys(keys),
    },
  ],
]);
const config = singleProviderConfig({ name: 'mock', baseUrl, keys });
let eventBytes = 0;
const relay = createRelay({
  admission: createAdmission({
    table,
    source: { find: async () => undefined },
    requestsPerUser: 10_000,
    clock,
    metrics,
  }),
  config: () => config,
  providers,
  prompts: new Map(),
  events: {
    admit: (_, onNoted) => queueMicrotask(() => onNoted?.()),
    emit: (event, onDurable) => {
      eventBytes += flattenUsageEvent(event).length;
      onDurable?.();
    },
  },
  clock,
  log,
  metrics,
  newId,
});
const ADDRESS = { host: '127.0.0.1', port: 0 };
const server = createHttpServer({ listener: 'gateway', address: ADDRESS, clock, log, metrics });
relay.attach(server);
process.send?.(await server.listen());
process.on('disconnect', () => process.exit(eventBytes < 0 ? 1 : 0));

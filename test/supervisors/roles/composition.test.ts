/** Which actors each role is made of, written out: a child that is lost, out of order or ends too soon shows here, without a database. */
import t from 'tap';
import { generateKeyPair } from '../../../actors/crypto/key-pair.ts';
import { createActorSystem } from '../../../actors/kernel/actor-system.ts';
import { loadSettings } from '../../../config/load-settings.ts';
import { createApiParts, type ApiStores } from '../../../supervisors/api-parts.ts';
import { supervisor, type SupervisorSpec } from '../../../supervisors/child-spec.ts';
import { composeRoles } from '../../../supervisors/compose-roles.ts';
import { createCollectorParts } from '../../../supervisors/collector-parts.ts';
import { Drain } from '../../../supervisors/drain.ts';
import { DynamicChildren } from '../../../supervisors/dynamic-children.ts';
import type { Foundation } from '../../../supervisors/foundation.ts';
import { apiRole, sessionsSpec } from '../../../supervisors/roles/api.ts';
import { schemaRole } from '../../../supervisors/roles/schema.ts';
import { programsRole } from '../../../supervisors/roles/programs.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { createPrometheusMetrics } from '../../../transports/telemetry/prometheus-metrics.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { settled } from '../../fixtures/settled.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';

function foundation(environment: Readonly<Record<string, string>> = {}) {
  const clock = createManualClock();
  const log = createMemoryLog();
  const metrics = createPrometheusMetrics();
  return {
    settings: loadSettings({
      VELLO_HOME: '/nowhere',
      VELLO_INFERENCE_WORKERS: '2',
      VELLO_DRAIN_MS: '7000',
      ...environment,
    }),
    ...{ clock, log, metrics },
    system: createActorSystem({ clock, log, metrics }),
    drain: new Drain(clock, log),
    databaseUrl: 'postgres://nobody@127.0.0.1:1/none',
    redisUrl: 'redis://127.0.0.1:1',
    secretKey: 'a secret of this test, long enough',
    version: '1.2.3',
    random: () => 0,
    inferenceKey: 'ours',
    collectorKey: () => ({ serviceId: 'collector', ...generateKeyPair() }),
    model: () => Promise.reject(new Error('no model')),
    otherModels: [],
  } satisfies Foundation;
}

/** A line for each supervisor and each worker, in start order. */
function outline(path: string, spec: SupervisorSpec): readonly string[] {
  const { strategy, intensity, periodMs, backoff } = spec;
  const waits = backoff === undefined ? '' : `, waits ${backoff.baseMs} to ${backoff.maxMs} ms`;
  return [
    `${path}: ${strategy}, ${intensity} in ${periodMs} ms${waits}`,
    ...spec.children.flatMap(({ id, restart, shutdownMs, start }) => {
      const started = start();
      if ('strategy' in started) return outline(`${path}/${id}`, started);
      return [`${path}/${id}: ${started.type}, ${restart}, ${shutdownMs} ms to stop`];
    }),
  ];
}

const rolesOf = (chosen: readonly string[], environment?: Readonly<Record<string, string>>) =>
  composeRoles(foundation(environment), chosen);
const line = (kind: string) => [
  `collector/${kind}: oneForAll, 120 in 60000 ms, waits 100 to 3000 ms`,
  `collector/${kind}/settler: stream-settler, permanent, 8000 ms to stop`,
  ...[1, 2, 3, 4].map((n) => `collector/${kind}/worker-${n}: stream-worker, permanent, 20000 ms to stop`),
  `collector/${kind}/reader: stream-reader, permanent, 5000 ms to stop`,
];

/** The deadlines of listeners and of what a drain leaves are somewhat longer than the drain itself, which is 7 s here. */
const OUTLINES = {
  gateway: [
    'gateway: oneForOne, 20 in 60000 ms',
    'gateway/stores: gateway-stores, permanent, 5000 ms to stop',
    'gateway/grants: grants-follower, permanent, 5000 ms to stop',
    'gateway/prompts: prompts-follower, permanent, 5000 ms to stop',
    'gateway/provider: oneForOne, 20 in 60000 ms',
    'gateway/provider/inference: provider, permanent, 5000 ms to stop',
    'gateway/events: event-emitter, permanent, 10000 ms to stop',
    'gateway/live: oneForOne, 20 in 60000 ms',
    'gateway/listener: listener, permanent, 9000 ms to stop',
  ],
  collector: [
    'collector: oneForOne, 120 in 60000 ms',
    ...['transcribe', 'process', 'dlq'].flatMap(line),
    'collector/dead-letters: dead-letter-recorder, permanent, 12000 ms to stop',
    'collector/janitor: stream-janitor, permanent, 5000 ms to stop',
    'collector/monitor: stream-monitor, permanent, 5000 ms to stop',
  ],
  inference: [
    'inference: oneForOne, 5 in 60000 ms',
    'inference/engine: oneForOne, 20 in 60000 ms',
    'inference/engine/queue: recognition-queue, permanent, 5000 ms to stop',
    'inference/engine/ear: ear, permanent, 5000 ms to stop',
    'inference/engine/recogniser-1: recogniser, permanent, 5000 ms to stop',
    'inference/engine/recogniser-2: recogniser, permanent, 5000 ms to stop',
    'inference/listener: listener, permanent, 8000 ms to stop',
  ],
  ops: [
    'ops: oneForOne, 120 in 60000 ms, waits 1000 to 30000 ms',
    'ops/process-metrics: process-metrics, permanent, 5000 ms to stop',
    'ops/listener: listener, permanent, 5000 ms to stop',
  ],
} as const;

for (const [name, expected] of Object.entries(OUTLINES)) {
  t.test(`the children of ${name}, in their order, with their deadlines`, async (t) => {
    const spec = rolesOf([name])[name as keyof typeof OUTLINES];
    t.strictSame(spec && outline(name, spec), expected);
  });
}

t.test('a process is made of the roles that were chosen, and of ops', async (t) => {
  for (const chosen of [[], ['api'], ['gateway'], ['collector'], ['inference'], ['api', 'collector']]) {
    t.strictSame(Object.keys(rolesOf(chosen)), [...chosen, 'ops']);
  }
});

t.test('a provider that the settings name takes the place of our own inference', async (t) => {
  const { gateway } = rolesOf(['gateway'], { VELLO_PROVIDER_URL: 'https://stt.example/v1' });
  t.ok(
    gateway && outline('gateway', gateway).includes('gateway/provider/provider: provider, permanent, 5000 ms to stop'),
  );
});

t.test('a gateway that asks nobody for a token says so loudly, another says nothing', async (t) => {
  for (const admission of ['open', 'grants']) {
    const parts = foundation({ VELLO_GATEWAY_ADMISSION: admission });
    composeRoles(parts, ['gateway']);
    const warnings = parts.log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    if (admission === 'open') t.match(warnings, [/^ADMISSION IS OPEN/]);
    else t.strictSame(warnings, []);
  }
});

/** The api over stores that are there at once. */
function api() {
  const { settings, system, ...rest } = foundation();
  const closed: string[] = [];
  const stores = { close: async () => void closed.push('stores') } as unknown as ApiStores;
  const parts = { ...createApiParts({ ...rest, settings }), openStores: async () => stores };
  return { spec: apiRole(parts, settings), system, closed };
}

const SHARDS = Array.from({ length: 8 }, (_, n) => `api/sessions/shard-0${n}: oneForOne, 10 in 10000 ms`);

t.test('the children of api: what it stands on first, its listener after it', async (t) => {
  const { spec, system, closed } = api();
  t.throws(() => outline('api', spec), { message: 'api-stores is not open' }, 'nobody uses stores that are not open');
  const opening = spec.children.filter(({ id }) => id === 'stores');
  system.spawn('api', supervisorDefinition({ ...spec, children: opening }, { random: () => 0 }));
  await settled();
  t.strictSame(outline('api', spec), [
    'api: restForOne, 60 in 60000 ms',
    'api/database: login-watch, permanent, 5000 ms to stop',
    'api/stores: api-stores, permanent, 10000 ms to stop',
    'api/identity: oneForOne, 60 in 60000 ms',
    'api/identity/revocations: revocation-follower, permanent, 5000 ms to stop',
    'api/identity/keys: key-follower, permanent, 5000 ms to stop',
    'api/identity/token-janitor: token-janitor, permanent, 5000 ms to stop',
    'api/sessions: oneForOne, 10 in 10000 ms',
    ...SHARDS,
    'api/notices: notice-follower, permanent, 5000 ms to stop',
    'api/listener: listener, permanent, 8000 ms to stop',
    'api/prompts: prompt-mirror, permanent, 5000 ms to stop',
  ]);
  await system.stop();
  t.strictSame(closed, ['stores']);
  t.throws(() => outline('api', spec), { message: 'api-stores is not open' }, 'nor stores that were closed');
});

t.test('a session is started in a shard and found there, and in no other', async (t) => {
  const { system } = foundation();
  const shards = Array.from({ length: 8 }, () => new DynamicChildren());
  const children = [supervisor('sessions', sessionsSpec(shards))];
  const spec = { strategy: 'oneForOne', intensity: 1, periodMs: 1000, children } as const;
  system.spawn('vello', supervisorDefinition(spec, { random: () => 0 }));
  await settled();
  const started = shards[3]?.start('device', () => ({ type: 'session', start: () => ({ receive: () => undefined }) }));
  t.equal(shards[3]?.find('device'), started);
  t.equal(shards[2]?.find('device'), undefined);
  t.ok(system.resolve('vello/sessions/shard-03/device'));
  await system.stop();
});

t.test('a database of our own has more time to stop than its program is given', async (t) => {
  const program = () => Promise.reject(new Error('never'));
  t.strictSame(
    outline(
      'programs',
      programsRole([
        { id: 'postgres', start: program },
        { id: 'redis', start: program },
      ]),
    ),
    [
      'programs: oneForOne, 5 in 60000 ms',
      'programs/postgres: program, permanent, 17000 ms to stop',
      'programs/redis: program, permanent, 17000 ms to stop',
    ],
  );
});

t.test('the schema is one actor that is up once the database is ready, and is told to whoever observes', async (t) => {
  const { log, system, clock } = foundation();
  let tries = 0;
  const spec = schemaRole({
    databaseUrl: 'postgres://nobody@127.0.0.1:1/none',
    passwords: {} as Parameters<typeof schemaRole>[0]['passwords'],
    services: [],
    log,
    observe: async () => {
      tries += 1;
      if (tries === 1) throw new Error('not yet');
    },
  });
  t.strictSame(outline('schema', spec), [
    'schema: oneForOne, 5 in 60000 ms',
    'schema/migrator: migrator, permanent, 5000 ms to stop',
  ]);
  system.spawn('schema', supervisorDefinition(spec, { random: () => 0 }));
  await settled();
  t.equal(system.resolve('schema/migrator'), undefined);
  clock.advance(100);
  await settled();
  t.ok(system.resolve('schema/migrator'), 'a database that was away for a moment is asked again');
  t.equal(tries, 2);
  await system.stop();
});

t.test('no two collectors have the same name among consumers, not even of one host', async (t) => {
  const options = foundation();
  const [one, other] = [createCollectorParts(options).consumer, createCollectorParts(options).consumer];
  t.match(one, /^[^:]+:\d+:[\da-f]{8}$/);
  t.not(one, other);
});

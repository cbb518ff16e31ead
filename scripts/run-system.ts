/** Starts the supervision tree with Vello's own programs first, shows how it comes up, plays the demonstration, and stops the tree when asked to. */
import './young-objects.ts';
import { safeLog } from '../actors/kernel/safe-log.ts';
import { createActorSystem } from '../actors/kernel/actor-system.ts';
import { deriveIdentitySecrets } from '../actors/crypto/secrets.ts';
import { VelloError } from '../config/errors.ts';
import { localUrlOf } from '../config/parse-setting.ts';
import type { Settings } from '../config/settings.ts';
import { COLLECTOR_SERVICE } from '../supervisors/collector-parts.ts';
import { Drain } from '../supervisors/drain.ts';
import { EXIT } from '../supervisors/exit-codes.ts';
import { readinessOf } from '../supervisors/health.ts';
import { composeRoles } from '../supervisors/compose-roles.ts';
import { ROOT, runRoot } from '../supervisors/root.ts';
import { schemaRole } from '../supervisors/roles/schema.ts';
import { drainOfProcessesMs, RENEWAL } from '../supervisors/roles/gateway-processes.ts';
import { programsRole } from '../supervisors/roles/programs.ts';
import { GatewaySlots } from '../transports/process/gateway-files.ts';
import { loadServiceKey } from '../transports/process/service-key.ts';
import { guardClock, systemClock } from '../transports/process/system-clock.ts';
import { MOONSHINE_MODEL_ID } from '../transports/speech/moonshine-engine.ts';
import { loadLanguageModels, type LanguageModel } from '../transports/speech/models/language-models.ts';
import { fetchModel, type ModelFiles } from '../transports/speech/models/fetch-model.ts';
import { createJsonLog } from '../transports/telemetry/json-log.ts';
import { createPrometheusMetrics } from '../transports/telemetry/prometheus-metrics.ts';
import { CommandError } from './command.ts';
import { count } from './count.ts';
import { playDemo } from './demo/play-demo.ts';
import { explainFileError } from './explain-file-error.mjs';
import { openLogFile, type LogFile } from './log-file.ts';
import { productVersion } from './project-root.ts';
import type { Progress } from './progress.mjs';
import type { Servers } from './foundation/choose-servers.ts';
import type { Home } from './foundation/home.ts';
import { obtainModel } from './foundation/obtain-model.ts';
import { severalGateways } from './several-gateways.ts';
import { createStartWatch } from './start-watch.ts';
import { createStopper, type Stopper } from './stopper.ts';

export const ROLES = ['api', 'gateway', 'collector', 'inference'] as const;
export type RoleName = (typeof ROLES)[number];

/** What follows the start. */
export type Demo = 'play' | 'skip' | 'play-and-exit';

export interface SystemRun {
  readonly settings: Settings;
  readonly roles: readonly RoleName[];
  /** Of the gateway, which is then alone; undefined: all roles in this process. */
  readonly processes: number | undefined;
  readonly demo: Demo;
  readonly home: Home;
  readonly servers: Servers;
  /** Folder for what is fetched. */
  readonly cache: string;
  readonly progress: Progress;
  /** Fires when the person at the keyboard, or the machine, wants it to end before the tree has started. */
  readonly signal: AbortSignal;
}

/** Resolves to the exit code once everything it started has ended. */
export async function runSystem(run: SystemRun): Promise<number> {
  const { settings, home, servers, progress, signal } = run;
  const { databaseUrl, redisUrl } = servers;
  const model = run.roles.includes('inference') ? await prepareModel(run) : undefined;
  const otherModels = run.roles.includes('inference') ? await prepareOtherModels(run) : [];
  signal.throwIfAborted();

  const output = openLogFile(home.file('logs', 'vello.log'));
  const log = safeLog(createJsonLog({ level: settings.logLevel, write: output.write }));
  const clock = guardClock(systemClock, log);
  const metrics = createPrometheusMetrics();
  const system = createActorSystem({ clock, log, metrics });
  const drain = new Drain(clock, log);
  const secretKey = settings.secretKey ?? home.secret('secret.key');
  // Made where a collector runs, and nowhere else: it may charge anybody.
  const collectorKey = () => loadServiceKey(home.file('keys'), COLLECTOR_SERVICE.serviceId);
  const watch = createStartWatch(progress);
  const inferenceKey = settings.inferenceKey ?? home.secret('inference.key');
  const slots = new GatewaySlots(home.file('gateway'), log);
  const parts = { clock, log, metrics, system, drain };
  const several =
    run.processes === undefined
      ? undefined
      : severalGateways({ parts, count: run.processes, settings, home, slots, inferenceKey, watch });
  const allRoles = () => {
    // Its folder is the first; what several gateways left in others goes there.
    if (run.roles.includes('gateway')) slots.take();
    return composeRoles(
      {
        settings: { ...settings, home: home.path },
        ...{ ...parts, secretKey, collectorKey },
        version: productVersion,
        random: Math.random,
        ...{ databaseUrl, redisUrl, inferenceKey },
        model: async () => model ?? fetchModel(run.cache),
        otherModels,
      },
      run.roles,
    );
  };
  const roles = several?.roles ?? allRoles();
  process.on('SIGUSR2', () => {
    if (several === undefined)
      log.warn('SIGUSR2 is for a gateway that was started with --processes, and does nothing here');
    else system.tell(RENEWAL, { type: 'renew-all' });
  });
  const stopper = createStopper();
  const ended = runRoot({
    ...{ system, drain, clock, log, random: Math.random },
    drainMs: several === undefined ? settings.drainMs : drainOfProcessesMs(settings.drainMs),
    roles: {
      programs: programsRole(
        servers.local.map(({ id, name, start }) => ({ id, start: () => watch.observe(`${name} started`, start) })),
      ),
      ...(databaseUrl !== '' && {
        schema: schemaRole({
          ...{ log, databaseUrl },
          passwords: deriveIdentitySecrets(secretKey).rolePasswords,
          services: run.roles.includes('collector')
            ? [{ ...COLLECTOR_SERVICE, publicKey: collectorKey().publicKey }]
            : [],
          onWait: (holder) => progress.say(`  ! The database is locked by ${holder}. Waiting for it.`),
          observe: (work) => watch.observe('Database migrated', work),
        }),
      }),
      ...roles,
    },
    onStop: (handlers) =>
      stopper.attach({
        ...handlers,
        orderly: (cause) => {
          progress.say('\n  Stopping: what is under way is finished first. Ctrl-C again ends it at once.');
          handlers.orderly(cause);
        },
        atOnce: (signal) => {
          several?.endAtOnce();
          handlers.atOnce(signal);
        },
      }),
  });

  try {
    const isUp = await Promise.race([
      ended.then(() => false),
      watch.failure,
      watch.settled(() => readinessOf(system, ROOT, drain)),
    ]);
    if (isUp) {
      const code = await stayUp(run, ended, stopper);
      progress.say(code === EXIT.cutOff ? `  Stopped, but something was cut off: ${output.path}` : '  Stopped.');
      return code;
    }
    if (signal.aborted) return await ended;
    throw new CommandError('Vello gave up while starting.');
  } catch (error) {
    stopper.stop();
    await ended;
    throw explain(error, output);
  } finally {
    output.close();
  }
}

async function stayUp(run: SystemRun, ended: Promise<number>, stopper: Stopper): Promise<number> {
  const { settings, home, progress, demo, signal } = run;
  progress.say(describeAddresses(run));
  if (demo === 'skip') return ended;
  const worked = await playDemo({
    apiUrl: localUrlOf(settings.apiListen),
    gatewayUrl: localUrlOf(settings.gatewayListen),
    model: demoModel(settings),
    folder: home.file('demo-desktop'),
    write: progress.write,
    signal,
  });
  if (signal.aborted) return ended;
  if (demo === 'play') {
    progress.say('\n  Running. Ctrl-C ends everything.');
    return ended;
  }
  stopper.stop();
  const code = await ended;
  return worked ? code : 1;
}

/** One that the provider streams. */
function demoModel({ providerKey, providerUrl }: Settings): string {
  return providerKey === undefined && providerUrl === undefined ? MOONSHINE_MODEL_ID : 'gpt-4o-mini-transcribe';
}

async function prepareModel({ progress, cache, signal }: SystemRun): Promise<ModelFiles> {
  return progress.step('Speech model', (report) => obtainModel({ cache, signal, report }));
}

async function prepareOtherModels({ settings, progress, cache, signal }: SystemRun): Promise<readonly LanguageModel[]> {
  const list = settings.speechModels;
  if (list === undefined) return [];
  return progress.step('Speech models of other languages', () => loadLanguageModels(list, cache, signal));
}

function describeAddresses({ settings, roles, processes, servers, home, demo }: SystemRun): string {
  const rows: [string, string][] = [];
  if (roles.includes('api')) {
    rows.push(['api', localUrlOf(settings.apiListen)]);
    rows.push(['docs', `${localUrlOf(settings.apiListen)}/docs  (the routes of every role)`]);
  }
  const several = processes === undefined ? '' : `  (${count(processes, 'process', 'processes')})`;
  if (roles.includes('gateway')) rows.push(['gateway', `${localUrlOf(settings.gatewayListen)}${several}`]);
  if (roles.includes('inference')) rows.push(['inference', localUrlOf(settings.inferenceListen)]);
  rows.push(['admin', `${localUrlOf(settings.adminListen)}  (/metrics /health/ready /actors)`]);
  for (const { name, port } of servers.local) rows.push([name, `127.0.0.1:${port}`]);
  rows.push(['log', home.file('logs', 'vello.log')]);
  const lines = rows.map(([name, address]) => `    ${name.padEnd(11)} ${address}`);
  const last = demo !== 'skip' ? '' : '\n\n  Running. Ctrl-C ends everything.';
  return `\n${lines.join('\n')}${last}`;
}

function explain(error: unknown, output: LogFile): unknown {
  if (error instanceof CommandError || error instanceof VelloError) return error;
  const lines = output.lastErrors();
  const heard = lines.length === 0 ? '' : `\nWhat the parts said last:\n${lines.join('\n')}`;
  return new CommandError(
    `Vello could not start: ${explainFileError(error) ?? (error as Error).message}${heard}\nThe whole log: ${output.path}`,
  );
}

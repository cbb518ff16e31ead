/** One of the gateway processes of `vello start --processes`: the whole gateway, on files of its own, for whoever started it. Argument: its slot. */
import './young-objects.ts';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createActorSystem } from '../actors/kernel/actor-system.ts';
import { safeLog } from '../actors/kernel/safe-log.ts';
import type { GatewayQuestion } from '../actors/programs/gateway-process.ts';
import { LIMITS } from '../config/limits.ts';
import { loadSettings } from '../config/load-settings.ts';
import { composeGatewayProcess } from '../supervisors/compose-gateways.ts';
import { Drain } from '../supervisors/drain.ts';
import { readinessOf } from '../supervisors/health.ts';
import { ROOT, runRoot } from '../supervisors/root.ts';
import { slotFolder, slotLock } from '../transports/process/gateway-files.ts';
import type { GatewayMessage, MessageToGateway } from '../transports/process/gateway-messages.ts';
import { takeProcessLock } from '../transports/process/process-lock.ts';
import { guardClock, systemClock } from '../transports/process/system-clock.ts';
import { createJsonLog } from '../transports/telemetry/json-log.ts';
import { createPrometheusMetrics } from '../transports/telemetry/prometheus-metrics.ts';
import { explainFileError } from './explain-file-error.mjs';
import { openLogFile } from './log-file.ts';
import { createStopper } from './stopper.ts';

/** How often it looks whether its health has changed. */
const LOOK_MS = 100;

const slot = Number(process.argv[2]);
const settings = loadSettings(process.env);
const { home, redisUrl, inferenceKey } = settings;
if (redisUrl === undefined || inferenceKey === undefined) throw new Error('Started by `vello start` alone.');
const folder = slotFolder(join(home, 'gateway'), slot);
const lock = slotLock(folder);

const output = openLogFile(join(home, 'logs', `gateway-${slot}.log`));
const log = safeLog(createJsonLog({ level: settings.logLevel, write: output.write }));
const clock = guardClock(systemClock, log);
const metrics = createPrometheusMetrics();
const system = createActorSystem({ clock, log, metrics });
const drain = new Drain(clock, log);
const stopper = createStopper();
try {
  if (takeProcessLock(lock) !== undefined) throw new Error(`Another process has ${folder}.`);
} catch (error) {
  if (explainFileError(error) === undefined) throw error;
  // A full disk: whoever started it knows what runs.
  log.warn('the folder cannot be marked as taken', { error });
}

const options = { settings, folder, sharesPort: true, redisUrl, inferenceKey, clock, drain, log, metrics };
const ended = runRoot({
  ...{ system, drain, clock, log, drainMs: settings.drainMs, random: Math.random },
  roles: composeGatewayProcess(options, settings),
  onStop: stopper.attach,
});

process.on('message', (message: MessageToGateway) => {
  if (message.type === 'hand-over') stopper.stop('succession');
  else void reply(message);
});
// Meant for whoever started it; sent to all of a service it would end this one.
process.on('SIGUSR2', () => undefined);
// Whoever started it is gone, and nobody would ever end it.
process.on('disconnect', () => stopper.stop());
// Perhaps before anybody listened for that.
if (!process.connected) stopper.stop();
reportHealth();

const code = await ended;
output.close();
rmSync(lock, { force: true });
process.exit(code);

function tell(message: GatewayMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

/** Without an answer, whoever asks goes on without it. */
async function reply({ id, question }: Extract<MessageToGateway, { readonly type: 'question' }>): Promise<void> {
  try {
    tell({ type: 'answer', id, answer: await answer(question) });
  } catch (error) {
    log.error('a question could not be answered', { about: question.about, error });
  }
}

async function answer(question: GatewayQuestion): Promise<unknown> {
  if (question.about === 'metrics') return metrics.expose();
  return question.path === undefined ? system.snapshot() : system.snapshotOf(question.path);
}

/** At once when it changes, and every second, which shows that the event loop turns. */
function reportHealth(): void {
  let said = '';
  let saidMs = -Infinity;
  const look = () => {
    const health = readinessOf(system, ROOT, drain);
    const text = JSON.stringify(health);
    if (text !== said || clock.monotonicMs() - saidMs >= LIMITS.gatewayProcesses.healthMs) {
      said = text;
      saidMs = clock.monotonicMs();
      tell({ type: 'health', health });
    }
    clock.setTimer(LOOK_MS, look);
  };
  look();
}

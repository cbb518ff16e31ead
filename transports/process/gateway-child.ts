/** Starts a gateway process of its own session, as one of several, and speaks with it. When we die it notices, and ends in order. */
import { fork, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { GatewayHealth, GatewayProcess, GatewayQuestion } from '../../actors/programs/gateway-process.ts';
import { LIMITS } from '../../config/limits.ts';
import type { GatewayMessage, MessageToGateway } from './gateway-messages.ts';
import { openOutput, programOf } from './program.ts';

export interface GatewayChildOptions {
  /** The file it runs; read anew for every start. */
  readonly entry: string;
  readonly slot: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Its own log, and what it says where it cannot write that: standard output and error. */
  readonly logFile: string;
  readonly outputFile: string;
  /** Ends what has not said anything yet. */
  readonly signal: AbortSignal;
}

const { readyMs, answerMs } = LIMITS.gatewayProcesses;

/** Resolves once it says how it is. @throws Error with its last words where it does not come up */
export async function startGatewayChild(options: GatewayChildOptions): Promise<GatewayProcess> {
  const output = tryOpenOutput(options.outputFile);
  let child: ChildProcess;
  try {
    child = fork(options.entry, [String(options.slot)], {
      ...{ env: { ...options.environment }, cwd: '/' },
      // Ctrl-C at a terminal is for us alone to hear.
      ...{ detached: true, stdio: ['ignore', output ?? 'ignore', output ?? 'ignore', 'ipc'] },
    });
  } finally {
    if (output !== undefined) closeSync(output);
  }
  // A channel that breaks, and a program that is not there, show themselves as an end.
  child.on('error', () => undefined);
  const spawned = programOf(child, { logFile: options.outputFile, stopSignal: 'SIGTERM' });
  const program = { ...spawned, lastWords: () => spawned.lastWords() || `see ${options.logFile}` };
  const conversation = converse(child);
  const abandon = () => program.signal('SIGKILL');
  options.signal.addEventListener('abort', abandon);
  try {
    const isUp = child.pid !== undefined && (await conversation.until(() => true, readyMs, program.ended));
    if (!isUp || options.signal.aborted) {
      const how = program.isRunning() && child.pid !== undefined ? 'said nothing' : 'ended';
      abandon();
      if (child.pid !== undefined) await program.ended;
      throw new Error(`A gateway process ${how} while starting: ${program.lastWords()}`);
    }
  } finally {
    options.signal.removeEventListener('abort', abandon);
  }
  return {
    ...program,
    slot: options.slot,
    get health() {
      return conversation.health();
    },
    silentMs: conversation.silentMs,
    becomesReady: (withinMs) => conversation.until(({ isReady }) => isReady, withinMs, program.ended),
    ask: conversation.ask,
    async handOver(graceMs) {
      if (!program.isRunning()) return;
      conversation.tell({ type: 'hand-over' });
      const killer = setTimeout(abandon, graceMs);
      await program.ended;
      clearTimeout(killer);
    },
  };
}

/** A full disk keeps no gateway from its work. */
function tryOpenOutput(file: string): number | undefined {
  try {
    return openOutput(file);
  } catch {
    return undefined;
  }
}

const UNKNOWN: GatewayHealth = { isReady: false, waitingFor: [], problems: {} };

function converse(child: ChildProcess) {
  let health: GatewayHealth | undefined;
  let heardAt = performance.now();
  let asked = 0;
  const waiting = new Map<number, (answer: unknown) => void>();
  const watchers = new Set<() => void>();
  child.on('message', (message: GatewayMessage) => {
    heardAt = performance.now();
    if (message.type === 'answer') waiting.get(message.id)?.(message.answer);
    else {
      ({ health } = message);
      for (const watch of watchers) watch();
    }
  });
  // It may be gone by now, which its end tells.
  const tell = (message: MessageToGateway) => {
    if (child.connected) child.send(message, () => undefined);
  };
  return {
    tell,
    health: () => health ?? UNKNOWN,
    silentMs: () => performance.now() - heardAt,
    /** Resolves to whether its health was so within `withinMs`, and before it ended. */
    until: (isSo: (said: GatewayHealth) => boolean, withinMs: number, ended: Promise<string>) =>
      new Promise<boolean>((resolve) => {
        const settle = (outcome: boolean) => {
          watchers.delete(watch);
          clearTimeout(deadline);
          resolve(outcome);
        };
        const watch = () => {
          if (health !== undefined && isSo(health)) settle(true);
        };
        const deadline = setTimeout(() => settle(false), withinMs);
        watchers.add(watch);
        void ended.then(() => settle(false));
        watch();
      }),
    ask: (question: GatewayQuestion) =>
      new Promise<unknown>((resolve, reject) => {
        const id = (asked += 1);
        const settle = (act: () => void) => {
          clearTimeout(deadline);
          waiting.delete(id);
          act();
        };
        const deadline = setTimeout(
          () => settle(() => reject(new Error('A gateway process does not answer.'))),
          answerMs,
        );
        waiting.set(id, (answer) => settle(() => resolve(answer)));
        tell({ type: 'question', id, question });
      }),
  };
}

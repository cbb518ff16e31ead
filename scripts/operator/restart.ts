/** `vello restart`: has a running gateway replace its processes one by one, waits for it, and says how it went. */
import { resolve } from 'node:path';
import { loadSettings } from '../../config/load-settings.ts';
import { CommandError, type Command } from '../command.ts';
import { occupantOf, type Occupant } from '../foundation/home.ts';
import { interruptible } from '../interruptible.ts';
import { createProgress } from '../progress.mjs';
import { stateRoot } from '../project-root.ts';

const POLL_MS = 50;

export const command: Command = {
  usage: 'restart',
  doc:
    'Replaces the processes of the Vello that runs in VELLO_HOME, one by one: the new one is ready before the old one takes no more\n' +
    'connections, and that ends when its requests and connections have. For a gateway started with --processes. Waits until all are\n' +
    'replaced; exit code 1 where one could not be, and then what serves goes on serving. So does SIGUSR2, which waits for nothing.',
  flags: {},
  operands: 0,
  run: () => interruptible(restart),
};

async function restart(signal: AbortSignal): Promise<number> {
  const home = resolve(stateRoot, loadSettings(process.env).home);
  const occupant = occupantOf(home);
  if (occupant === undefined) throw new CommandError(`No Vello runs in ${home}: name its folder by VELLO_HOME.`);
  const before = occupant.renewals;
  if (before === undefined) {
    throw new CommandError(
      `The Vello in ${home} is one process, which cannot be replaced while it serves (or it is still starting). ` +
        'Start a gateway with --roles gateway --processes 1, or more, to replace it without an end.',
    );
  }
  process.kill(occupant.pid, 'SIGUSR2');
  await createProgress(process.stdout).step('Gateway processes replaced', async () => {
    // A round that is under way began before it was asked for, and may have replaced some already: the next one counts.
    const wanted = before.begun + 1;
    for (let now: Occupant | undefined = occupant; ; now = occupantOf(home)) {
      signal.throwIfAborted();
      if (now?.pid !== occupant.pid) throw new CommandError('Vello ended before all were replaced.');
      const { ended = 0, problem } = now.renewals ?? {};
      if (ended >= wanted) {
        if (problem !== undefined) throw new CommandError(`Not all processes were replaced: ${problem}`);
        return;
      }
      await new Promise((wake) => setTimeout(wake, POLL_MS));
    }
  });
  return 0;
}

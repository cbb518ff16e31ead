/** `vello actors`: the supervision tree of a running Vello, drawn in the terminal and kept up to date. */
import type { SystemSnapshot } from '../../actors/kernel/snapshot.ts';
import { loadSettings } from '../../config/load-settings.ts';
import { drawTree } from './actors-tree.ts';
import { CommandError, UsageError, type Command } from '../command.ts';
import { startLine } from '../project-root.ts';

const DEFAULT_EVERY_S = 1;

export const command: Command = {
  usage: 'actors [flags]',
  doc:
    'Shows the supervision tree of a running Vello: what runs, what waits for its restart, how deep the mailboxes are and\n' +
    'how long handlers have been at work. Reads GET /actors of the admin listener (VELLO_ADMIN_LISTEN). Ctrl-C ends it.',
  flags: {
    once: { type: 'boolean', doc: 'Print it once and end; what happens anyway when the output is no terminal.' },
    json: { type: 'boolean', doc: 'Print the snapshot as JSON, once.' },
    every: { type: 'string', value: 'seconds', doc: `Time between two looks (${DEFAULT_EVERY_S}).` },
    url: { type: 'string', value: 'url', doc: 'Admin listener of another process, such as http://10.0.0.7:8090.' },
  },
  operands: 0,
  async run(invocation) {
    const url = `${(invocation.text('url') ?? adminUrl()).replace(/\/$/, '')}/actors`;
    const everyMs = 1000 * Number(invocation.text('every') ?? DEFAULT_EVERY_S);
    if (!(everyMs >= 100)) throw new UsageError('--every takes seconds, at least 0.1');
    if (invocation.has('json')) console.log(JSON.stringify(await look(url), undefined, 2));
    else if (invocation.has('once') || !process.stdout.isTTY) console.log(drawTree(await look(url)));
    else await watch(url, everyMs);
    return 0;
  },
};

function adminUrl(): string {
  const { host, port } = loadSettings(process.env).adminListen;
  // An address to listen on may mean "all"; one to connect to may not.
  return `http://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host}:${port}`;
}

async function look(url: string): Promise<SystemSnapshot> {
  let answer: Response;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
  } catch (error) {
    const why = (error as Error).cause instanceof Error ? ((error as Error).cause as Error).message : String(error);
    throw new CommandError(`Nothing answers at ${url} (${why}).\nIs Vello running? Start it with: ${startLine}`);
  }
  if (!answer.ok) throw new CommandError(`${url} answered ${answer.status}. Is that the admin listener of a Vello?`);
  return (await answer.json()) as SystemSnapshot;
}

/** Redraws in place on the alternate screen, so that the terminal is afterwards as it was. */
async function watch(url: string, everyMs: number): Promise<void> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  process.stdout.write('\u001b[?1049h\u001b[?25l');
  try {
    let before: SystemSnapshot | undefined;
    while (!interruption.signal.aborted) {
      const snapshot = await look(url);
      show(drawTree(snapshot, before));
      before = snapshot;
      await pause(everyMs, interruption.signal);
    }
  } finally {
    process.stdout.write('\u001b[?25h\u001b[?1049l');
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** What does not fit is counted, not scrolled away. */
function show(drawing: string): void {
  const { rows, columns } = process.stdout;
  const lines = drawing.split('\n');
  const fitting =
    lines.length < rows ? lines : [...lines.slice(0, rows - 2), `… ${lines.length - rows + 2} more lines`];
  const cut = fitting.map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line));
  process.stdout.write(`\u001b[H${cut.map((line) => `${line}\u001b[K`).join('\n')}\u001b[J`);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

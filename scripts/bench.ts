/** `vello bench`: runs one of the benchmarks in scripts/bench/. Each measures this build beside its peers and prints a table. */
import { UsageError, type Command } from './command.ts';

interface Benchmark {
  /** Prints its table. */
  run(args: readonly string[], isQuick: boolean): Promise<void>;
}

const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  actors: () => import('./bench/actors.ts'),
  auth: () => import('./bench/auth.ts'),
  events: () => import('./bench/events.ts'),
  gateway: () => import('./bench/gateway.ts'),
  speech: () => import('./bench/speech.ts'),
  streams: () => import('./bench/streams.ts'),
  upstream: () => import('./bench/upstream.ts'),
};

export const command: Command = {
  usage: 'bench <name> [arguments]',
  doc:
    'Measures this build beside its peers and prints a table. There are, with what each takes:\n\n' +
    '  actors [rounds] [words]                   only the plays that have these words in their names\n' +
    '  auth [rounds]\n' +
    '  events <redis url> [requests] [rounds]    empties the streams of that Redis\n' +
    '  gateway [rounds] [names]                  only servers with such a name; fetches its peers first, into .vello/cache\n' +
    '  speech [rounds] [model of whisper.cpp]\n' +
    '  streams <redis url> [events] [rounds]     empties the streams of that Redis\n' +
    '  upstream [calls] [rounds]\n\n' +
    'A peer that is not installed is named and left out.',
  flags: { quick: { type: 'boolean', doc: 'gateway: one short round, of a minute or two in all.' } },
  operands: 16,
  async run(invocation) {
    const [name = '', ...rest] = invocation.operands;
    const load = BENCHMARKS[name];
    if (name === '') throw new UsageError(`Say which: ${Object.keys(BENCHMARKS).join(', ')}`);
    if (load === undefined)
      throw new UsageError(`There is no benchmark '${name}', only ${Object.keys(BENCHMARKS).join(', ')}`);
    await (await load()).run(rest, invocation.has('quick'));
    return 0;
  },
};

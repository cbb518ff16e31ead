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
  doc: `Measures this build beside its peers and prints a table. There are: ${Object.keys(BENCHMARKS).join(', ')}.`,
  flags: { quick: { type: 'boolean', doc: 'gateway: one short round, of a minute in all.' } },
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

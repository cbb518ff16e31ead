/** What a command of the CLI is: its flags as data, checked before it runs, and printed by `--help`. */
import { parseArgs } from 'node:util';

export interface Flag {
  readonly type: 'boolean' | 'string';
  /** What it changes, in one line. */
  readonly doc: string;
  /** How its value is shown in the help: `a,b`. */
  readonly value?: string;
}

export interface Invocation {
  has(flag: string): boolean;
  text(flag: string): string | undefined;
  readonly operands: readonly string[];
}

export interface Command {
  /** What stands after `vello` in the usage line. */
  readonly usage: string;
  /** One or more paragraphs for `--help`. */
  readonly doc: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /** Most operands it takes. */
  readonly operands: number;
  /** Resolves to the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** The command line was wrong: shown with a hint at the help, exit code 2. */
export class UsageError extends Error {}

/** Says what happened and what to do about it; shown without a stack, exit code 1. */
export class CommandError extends Error {}

/** Returns what the user typed, checked against the command. @throws UsageError */
export function parseInvocation(command: Command, args: readonly string[]): Invocation {
  const options = Object.fromEntries(Object.entries(command.flags).map(([name, { type }]) => [name, { type }]));
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0] ?? 'The arguments are wrong');
  }
  if (parsed.positionals.length > command.operands) {
    throw new UsageError(`Unexpected argument '${parsed.positionals[command.operands] ?? ''}'`);
  }
  const values: Readonly<Record<string, unknown>> = parsed.values;
  return {
    has: (flag) => values[flag] !== undefined,
    text: (flag) => (typeof values[flag] === 'string' ? values[flag] : undefined),
    operands: parsed.positionals,
  };
}

/** The help of one command. */
export function describeCommand(command: Command): string {
  const help: Flag = { type: 'boolean', doc: 'Show this text.' };
  const flags = Object.entries({ ...command.flags, help });
  const names = flags.map(([name, flag]) => `--${name}${flag.type === 'string' ? ` <${flag.value ?? 'text'}>` : ''}`);
  const width = Math.max(...names.map((name) => name.length));
  const lines = flags.map(([, flag], index) => `  ${(names[index] ?? '').padEnd(width)}  ${flag.doc}`);
  return `Usage: vello ${command.usage}\n\n${command.doc}\n\nFlags:\n${lines.join('\n')}\n`;
}

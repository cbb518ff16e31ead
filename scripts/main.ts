/** The command line: finds the command, checks what was typed, runs it, and turns its end into an exit code. */
import { VelloError } from '../config/errors.ts';
import { EXIT } from '../supervisors/exit-codes.ts';
import { CommandError, describeCommand, parseInvocation, UsageError } from './command.ts';
import { COMMANDS, type Entry } from './commands.ts';
import { explainFileError } from './explain-file-error.mjs';
import { isClone, productVersion } from './project-root.ts';

/** Resolves to the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const commands = isClone ? { ...COMMANDS, ...(await import('./clone-commands.ts')).CLONE_COMMANDS } : COMMANDS;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(describeCommands(commands));
    return 0;
  }
  if (name === '--version' || name === '-v') {
    console.log(productVersion);
    return 0;
  }
  const entry = commands[name];
  if (entry === undefined) {
    console.error(`There is no command '${name}'.\n\n${describeCommands(commands)}`);
    return EXIT.usage;
  }
  const { command } = await entry.load();
  if (rest.includes('--help') || rest.includes('-h')) {
    console.log(describeCommand(command));
    return 0;
  }
  try {
    return await command.run(parseInvocation(command, rest));
  } catch (error) {
    return report(name, error);
  }
}

function report(name: string, error: unknown): number {
  if (error instanceof UsageError) {
    console.error(`${error.message}.\nSee: vello ${name} --help`);
    return EXIT.usage;
  }
  if (error instanceof CommandError) console.error(`\n${error.message}`);
  else if (error instanceof VelloError) console.error(`\n${error.title} (${error.code})\n${error.detail}`);
  else console.error(explainFileError(error) ?? error);
  return error instanceof VelloError && error.code === 'SETTINGS_INVALID' ? EXIT.usage : EXIT.failed;
}

function describeCommands(commands: Readonly<Record<string, Entry>>): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const lines = Object.entries(commands).map(([name, entry]) => `  ${name.padEnd(width)}  ${entry.summary}`);
  return `Usage: vello <command> [flags]\n\nCommands:\n${lines.join('\n')}\n\nEach takes --help. vello --version names the build.`;
}

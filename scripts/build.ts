/** `vello build`: the build itself happened before this could be loaded. */
import type { Command } from './command.ts';

export const command: Command = {
  usage: 'build',
  doc: 'Installs packages and builds the sources into build/, as every command does first. Does nothing else.',
  flags: {},
  operands: 0,
  run: async () => 0,
};

/** `vello soak`: the soak test of the gateway, which `npm test` runs for seconds, for as long as one likes. */
import { join } from 'node:path';
import { CommandError, type Command } from './command.ts';
import { LENGTH_FLAGS, readLength, runAtLength } from './testing/run-at-length.ts';

export const command: Command = {
  usage: 'soak [--minutes N] [--seed S]',
  doc:
    'Runs a gateway under mixed traffic with random departures and provider faults. Its memory, descriptors and waiting times must stay\n' +
    'flat, which is judged from 3 minutes on, and each admitted request must have one event.',
  flags: LENGTH_FLAGS,
  operands: 0,
  async run(invocation) {
    const { minutes, seed } = readLength(invocation);
    console.log(`seed ${seed}, ${minutes} min`);
    if (await runAtLength(join('system', 'soak.test.js'), minutes, seed)) return 0;
    throw new CommandError(`The gateway did not hold with seed ${seed}; what went wrong is above.`);
  },
};

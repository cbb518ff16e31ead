/** `vello fuzz`: the fuzzers of test/fuzz/, which `npm test` runs for seconds, for as long as one likes. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, UsageError, type Command } from './command.ts';
import { count } from './count.ts';
import { projectRoot } from './project-root.ts';
import { LENGTH_FLAGS, readLength, runAtLength } from './testing/run-at-length.ts';

export const command: Command = {
  usage: 'fuzz [name] [--minutes N] [--seed S]',
  doc:
    'Runs the fuzzers of test/fuzz/, one after the other, each for an equal part of the time; with a name, such as meters or response-parser,\n' +
    'that one alone. The seed is printed; the same seed plays the same inputs.',
  flags: LENGTH_FLAGS,
  operands: 1,
  async run(invocation) {
    const { minutes, seed } = readLength(invocation);
    const folder = join(projectRoot, 'build', 'test', 'fuzz');
    const suffix = '.test.js';
    const all = readdirSync(folder).filter((file) => file.endsWith(suffix));
    const [name] = invocation.operands;
    const chosen = all.filter((file) => name === undefined || file === `${name}${suffix}`);
    if (chosen.length === 0) {
      const names = all.map((file) => file.slice(0, -suffix.length)).join(', ');
      throw new UsageError(`There is no fuzzer '${name ?? ''}', only ${names}`);
    }
    const share = minutes / chosen.length;
    console.log(`seed ${seed}, ${share.toFixed(1)} min each: ${chosen.join(', ')}`);
    for (const file of chosen) {
      if (!(await runAtLength(join('fuzz', file), share, seed)))
        throw new CommandError(`${file} found something with seed ${seed}; it is above.`);
    }
    console.log(`\nNothing was found by ${count(chosen.length, 'fuzzer')} with seed ${seed}.`);
    return 0;
  },
};

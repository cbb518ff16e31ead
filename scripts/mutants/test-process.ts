/**
 * The process that runs test files for a sandbox, one after the other, since starting one for each would take ten times as long. Says after
 * each whether it left the process as it was: if not, another one takes over.
 */
import { register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Test } from 'tap';

export interface RunRequest {
  readonly run: number;
  /** A built test file, below the working directory. */
  readonly file: string;
  /** Where the places that are reached are written to. */
  readonly reachedFile: string | undefined;
}

export interface RunReply {
  readonly hasPassed: boolean;
  readonly isClean: boolean;
}

/** After the first failure the rest has this long to end in order. */
const GRACE_MS = 300;

register('./run-hooks.mjs', import.meta.url);

let onStray: (error: unknown) => void = () => undefined;
process.on('uncaughtException', (error) => onStray(error));
process.on('unhandledRejection', (error) => onStray(error));
process.on('message', (request: RunRequest) => void run(request));

async function run({ run, file, reachedFile }: RunRequest): Promise<void> {
  if (reachedFile !== undefined) process.env['MUTANTS_REACHED'] = reachedFile;
  const before = countResources();
  const test = new Test({ name: file });
  Object.assign(globalThis, { runOfTest: test });
  let hasFailed = false;

  const isWhole = await new Promise<boolean>((resolve) => {
    const fail = () => {
      hasFailed = true;
      setTimeout(() => resolve(false), GRACE_MS).unref();
    };
    const broken = () => {
      hasFailed = true;
      resolve(false);
    };
    onStray = broken;
    // Nothing is left that could go on: the test waits for what will never come.
    process.once('beforeExit', broken);
    process.channel?.unref();
    test.on('data', (text: unknown) => {
      if (!hasFailed && /^\s*not ok\b(?!.*# (?:TODO|SKIP)\b)/m.test(String(text))) fail();
    });
    test.once('end', () => {
      process.off('beforeExit', broken);
      resolve(true);
    });
    import(`${pathToFileURL(join(process.cwd(), file)).href}?run=${run}`).then(() => test.end(), broken);
  });

  await new Promise((resolve) => setImmediate(resolve));
  process.channel?.ref();
  const isClean = isWhole && countResources() <= before;
  const reply: RunReply = { hasPassed: isWhole && test.passing(), isClean };
  process.send?.(reply);
}

/** Timers, sockets, servers and children that keep the process running. */
const countResources = () => process.getActiveResourcesInfo().filter((name) => name !== 'Immediate').length;

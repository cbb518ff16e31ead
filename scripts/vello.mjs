#!/usr/bin/env node
/** The door of every command. Makes the clone runnable first, then hands over to the built command line, `scripts/main.ts`. */
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Vello needs Node.js 20.19 or newer; this is ${process.versions.node}. Install a newer one and run the command again.`,
  );
  process.exit(1);
}

const { createProgress } = await import('./progress.mjs');
const { prepare } = await import('./prepare.mjs');
const { SetUpError } = await import('./set-up-error.mjs');
const { explainFileError } = await import('./explain-file-error.mjs');

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const interruption = new AbortController();
const interrupt = () => interruption.abort();
process.on('SIGINT', interrupt).on('SIGTERM', interrupt);

let isReady = false;
try {
  await prepare(root, createProgress(process.stderr), interruption.signal);
  isReady = !interruption.signal.aborted;
} catch (error) {
  const explained = error instanceof SetUpError ? error.message : explainFileError(error);
  if (explained === undefined && !interruption.signal.aborted) throw error;
  if (!interruption.signal.aborted) {
    console.error(`\n${explained}`);
    // Types are checked by the build: for `vello test` this is a verdict like any other.
    if (process.argv[2] === 'test') console.log('\n0 passed, 1 failed');
  }
  process.exitCode = 1;
}
process.off('SIGINT', interrupt).off('SIGTERM', interrupt);

if (interruption.signal.aborted) {
  console.error('Stopped. The next run takes up where this one ended.');
  process.exitCode = 130;
} else if (isReady) {
  // Read by uWebSockets.js when it is loaded. Its own limit of 4 kB depends on how the packets fall: long tokens would fail at random.
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= '16384';
  const { main } = await import(pathToFileURL(join(root, 'build', 'scripts', 'main.js')).href);
  process.exit(await main(process.argv.slice(2)));
}

#!/usr/bin/env node
/** The door of every command. Makes a clone runnable first, then hands over to the built command line, `scripts/main.ts`. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Vello needs Node.js 20.19 or newer; this is ${process.versions.node}. Install a newer one and run the command again.`,
  );
  process.exit(1);
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// An installed package holds what was built, and no sources.
const isClone = existsSync(join(root, 'tsconfig.json'));
process.exitCode = isClone ? await (await import('./prepare.mjs')).setUp(root) : 0;

// Read by uWebSockets.js when it is loaded. Its own limit of 4 kB depends on how the packets fall: long tokens would fail at random.
process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= '16384';
if (process.exitCode === 0) {
  const server = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  try {
    createRequire(import.meta.url)(join(root, 'build', 'vendor', 'uws', server));
  } catch (error) {
    console.error(
      `Vello runs on Linux and macOS (x64, arm64) with Node.js 20, 22 or 24; 24 needs glibc 2.38 on Linux. Here is Node.js ` +
        `${process.versions.node}, and its server does not load:\n${error.message.split('\n')[0]}`,
    );
    process.exitCode = 1;
  }
}
if (process.exitCode === 0) {
  const { main } = await import(pathToFileURL(join(root, 'build', 'scripts', 'main.js')).href);
  process.exit(await main(process.argv.slice(2)));
}

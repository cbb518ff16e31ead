/** Where Vello itself is, as a clone or as an installed package. Built files sit in build/scripts/, two folders below it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Of `package.json`. */
export const productVersion = (
  JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { readonly version: string }
).version;

/** A package holds what was built, and no sources. */
export const isClone = existsSync(join(projectRoot, 'tsconfig.json'));

/** What relative paths of settings are below. Packages are replaced whole: nothing that is to stay can be inside one. */
export const stateRoot = isClone ? projectRoot : process.cwd();

/** What a person types to start Vello. */
export const startLine = isClone ? 'npm start' : 'npx vello start';

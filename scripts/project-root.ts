/** Where the clone is. Built files sit in build/scripts/, two folders below it. */
import { fileURLToPath } from 'node:url';

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** Holds each Lua script to its header (which keys and arguments, what it returns), and its caller to the same header. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { readLuaHeader } from '../../transports/redis/connection/lua-script.ts';
import { listFiles, projectFolder, readSources } from '../fixtures/source-files.ts';

const files = listFiles(['transports']).filter((path) => path.endsWith('.lua'));
const textOf = (path: string) => readFileSync(join(projectFolder, path), 'utf8');
const included = files.flatMap((path) => readLuaHeader(textOf(path)).includes);
const scripts = files.filter((path) => !included.includes(basename(path)));
const callers = readSources(['transports']).filter(({ text }) => /= loadLuaScript\(/.test(text));

t.test('each script declares the keys and arguments that it uses, no others, and what it returns', async (t) => {
  t.ok(scripts.length > 15, `${scripts.length} scripts`);
  for (const path of scripts) t.strictSame(faultsOf(textOf(path)), [], path);
});

t.test('each script has one caller, and its caller gives what it declares', async (t) => {
  const loaded = callers.flatMap(({ path, text }) =>
    [...text.matchAll(/= loadLuaScript\(\s*import\.meta\.url,\s*'([^']+)'/g)].map(([, file = '']) =>
      join(path, '..', file),
    ),
  );
  t.strictSame(loaded.sort(), scripts);
  // The names are compared where a script is loaded, and the compiler holds each call to the names.
  for (const { path } of callers) {
    const module = join('..', '..', path.replace(/\.ts$/, '.js'));
    await t.resolves(import(new URL(module, import.meta.url).href), path);
  }
});

/** A key that no key declares keeps its script from Redis Cluster, unless it lies in the same slot as those that are. */
t.test('scripts make no names of keys, except to delete the tokens that an index holds', async (t) => {
  const making = files.filter((path) =>
    [...codeOf(textOf(path)).matchAll(/call\('(\w+)', ([^,)]+)/g)].some(
      ([, command, key = '']) => command !== 'PUBLISH' && /ARGV|\.\./.test(key),
    ),
  );
  t.strictSame(making, ['transports/redis/grants/grant-revoke.lua']);
});

t.test('a script that departs from its header is found', async (t) => {
  const header = '-- Does it.\n-- KEYS[1] stream\n-- ARGV[1] group\n-- ARGV[2..] ids\n-- Returns nothing.\n';
  const body = "redis.call('XACK', KEYS[1], ARGV[1])\nfor i = 2, #ARGV do redis.call('GET', ARGV[i]) end\n";
  t.strictSame(faultsOf(header + body), []);
  const faults: readonly (readonly [string, string, RegExp])[] = [
    ['a key that is not declared', header + body.replace('ARGV[1]', 'KEYS[2]'), /KEYS\[2\]/],
    ['an argument that is not used', header + body.replace(', ARGV[1]', ''), /ARGV\[1\]/],
    ['a tail that begins elsewhere', header + body.replace('i = 2', 'i = 3'), /ARGV\[3\.\.\]/],
    ['a use that nobody can follow', `${header}${body}return unpack(ARGV)\n`, /unpack\(ARGV\)/],
    ['no word on what it returns', (header + body).replace('Returns', 'Gives'), /Returns/],
  ];
  for (const [title, text, fault] of faults) t.match(faultsOf(text).join('\n'), fault, title);
});

function faultsOf(text: string): string[] {
  const { keys, args } = readLuaHeader(text);
  const declared = [...keys.map((_, at) => `KEYS[${at + 1}]`), ...args.map(argument)];
  const code = codeOf(text);
  const used = new Set([...code.matchAll(/\b(?:KEYS|ARGV)\[\d+\]/g)].map(([use]) => use));
  for (const [, first = ''] of code.matchAll(/\bfor i = (\d+), #ARGV\b/g)) used.add(`ARGV[${first}..]`);
  const known = /\b(KEYS|ARGV)\[\d+\]|\bfor i = \d+, #ARGV\b|\bARGV\[i( \+ \d)?\]/g;
  return [
    ...declared.filter((name) => !used.has(name)).map((name) => `${name} is not used`),
    ...[...used].filter((name) => !declared.includes(name)).map((name) => `${name} is not declared`),
    ...code.split('\n').filter((line) => /KEYS|ARGV/.test(line.replace(known, ''))),
    ...(/^-- Returns /m.test(text) ? [] : ['Returns: is not said']),
  ];
}

function argument(name: string, at: number): string {
  return `ARGV[${at + 1}${name.startsWith('...') ? '..' : ''}]`;
}

function codeOf(text: string): string {
  return text.replace(/--.*/g, '');
}

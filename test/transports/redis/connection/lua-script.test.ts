import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { loadLuaScript, readLuaHeader } from '../../../../transports/redis/connection/lua-script.ts';
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts';

const SCRIPT = `-- Settles.
-- @include copy.lua
-- KEYS[1] stream
-- KEYS[2] dead: the dead stream
-- ARGV[1] group
-- ARGV[2..] ids: of the entries
-- Returns nothing.
return settle()
`;

function write(t: Test): string {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'settle.lua'), SCRIPT);
  writeFileSync(join(folder, 'copy.lua'), 'local function settle() end\n');
  return pathToFileURL(`${folder}/`).href;
}

/** A server that has not seen a script, and what it is sent. */
function newServer() {
  const sent: unknown[][] = [];
  const take =
    (error?: Error) =>
    (...all: unknown[]) => {
      sent.push(all);
      return error === undefined ? Promise.resolve('done') : Promise.reject(error);
    };
  const redis = { evalsha: take(new Error('NOSCRIPT No matching script.')), eval: take() } as unknown as Redis;
  return { redis, sent };
}

t.test('values are given by name, and sent in the order of the header; so is the file that it includes', async (t) => {
  const script = loadLuaScript(write(t), './settle.lua', 'group ...ids dead stream');
  const { redis, sent } = newServer();
  t.equal(await script(redis, { ids: ['1-0', '2-0'], group: 'g', dead: 'd', stream: 's' }), 'done');
  const values = [2, 's', 'd', 'g', '1-0', '2-0'];
  t.strictSame(sent[0]?.slice(1), values);
  t.strictSame(sent[1], [`local function settle() end\n${SCRIPT}`, ...values]);
});

t.test('a call that leaves a value out, adds one or mistakes a list does not compile', async (t) => {
  const script = loadLuaScript(write(t), './settle.lua', 'group ...ids dead stream');
  const { redis } = newServer();
  const places = { dead: 'd', stream: 's' };
  // @ts-expect-error: no group
  await script(redis, { ids: [], ...places });
  // @ts-expect-error: nothing takes a consumer
  await script(redis, { group: 'g', ids: [], consumer: 'c', ...places });
  // @ts-expect-error: ids are many
  await script(redis, { group: 'g', ids: '1-0', ...places });
  t.pass('the compiler found an error behind each of these comments');
});

t.test('a caller that leaves a name out, adds one or mistakes a list is refused as the script is loaded', async (t) => {
  const url = write(t);
  t.throws(() => loadLuaScript(url, './settle.lua', 'stream dead group'), /takes 'stream dead group \.\.\.ids'/);
  t.throws(() => loadLuaScript(url, './settle.lua', 'stream dead group ...ids now'), /its caller gives '.* now'/);
  t.throws(() => loadLuaScript(url, './settle.lua', 'stream dead group ids'));
});

t.test('a header whose numbers do not go up from 1 is refused', async (t) => {
  t.throws(() => readLuaHeader('-- KEYS[2] stream\n'), /KEYS\[2\] stream/);
  t.throws(() => readLuaHeader('-- ARGV[1] group\n-- ARGV[3] id\n'), /ARGV\[3\] id/);
  t.strictSame(readLuaHeader('return 1\n-- KEYS[1] stream\n').keys, [], 'what follows the code is no header');
});

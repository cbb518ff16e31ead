/** What the scripts that copy entries do where something fails on one of them that nobody foresaw. Here it is made to. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { COLLECTOR_GROUP, streamKey } from '../../../../config/streams.ts';
import { loadLuaScript } from '../../../../transports/redis/connection/lua-script.ts';
import { openTestStreams } from '../../../fixtures/event-streams-on-redis.ts';
import { startRedis } from '../../../fixtures/redis.ts';
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts';

/** In front of what copies: the copy of an entry that holds `bad` fails, of one that holds `worse` in every form with fields. */
const INJECTED = `
local real = redis
local redis = setmetatable({ call = function(command, ...)
  if command == 'XADD' then
    local text = table.concat({ ... }, ' ')
    if text:find('worse', 1, true) then error('ERR injected') end
    if text:find('bad', 1, true) and not text:find('surplus', 1, true) then error('ERR injected') end
    if real.call('EXISTS', 'full') == 1 then error('OOM injected') end
  end
  return real.call(command, ...)
end }, { __index = real })
`;

const server = await startRedis(t);
const { redis, add, entries, length } = await openTestStreams(t, server);
const [from, dlq, dead] = [streamKey('transcribe'), streamKey('dlq'), streamKey('dead')];

const original = (file: string) => new URL(import.meta.resolve(`../../../../transports/redis/streams/${file}`));
const folder = temporaryFolder(t);
writeFileSync(join(folder, 'entry-copy.lua'), INJECTED + readFileSync(original('entry-copy.lua'), 'utf8'));
for (const file of ['move.lua', 'claim.lua']) copyFileSync(original(file), join(folder, file));
const inFolder = pathToFileURL(`${folder}/`).href;
const moveEntries = loadLuaScript(inFolder, './move.lua', 'from to dead group consumer ...moves');
const claimEntries = loadLuaScript(
  inFolder,
  './claim.lua',
  'stream dead group consumer minIdleMs count maxDeliveries aloneFrom',
);

async function read(values: readonly string[]): Promise<string[]> {
  await redis.flushall();
  await redis.xgroup('CREATE', from, COLLECTOR_GROUP, '0', 'MKSTREAM');
  const ids: string[] = [];
  for (const value of values) ids.push(await add('transcribe', { event_id: value }));
  await redis.xreadgroup('GROUP', COLLECTOR_GROUP, 'a', 'STREAMS', from, '>');
  return ids;
}
const pending = async () => ((await redis.xpending(from, COLLECTOR_GROUP)) as [number])[0];
const move = (ids: readonly string[]) =>
  moveEntries(redis, {
    ...{ from, to: dlq, dead, group: COLLECTOR_GROUP, consumer: 'a' },
    moves: ids.flatMap((id) => [id, 1, 'API_TIMEOUT', 5000]),
  });

t.test(
  'an entry on which a move fails is given up with the reason and its fields, those beside it are moved',
  async (t) => {
    const ids = await read(['1', 'bad', '3']);
    const [lost, givenUp] = (await move(ids)) as string[][];
    t.same(lost, []);
    t.match(givenUp, [new RegExp(`^${ids[1]}: .*ERR injected`)]);
    t.match(await entries('dlq'), [{ event_id: '1' }, { event_id: '3' }]);
    t.match(await entries('dead'), [
      {
        surplus: '["event_id","bad"]',
        error: 'ENTRY_NOT_COPIED',
        problem: /injected/,
        origin_id: ids[1],
        origin_stream: from,
        attempt: '1',
      },
    ]);
    t.same([await length('transcribe'), await pending()], [0, 0]);
  },
);

t.test(
  'an entry of which not even a text can be made is named on the dead stream, and stays where it is',
  async (t) => {
    const ids = await read(['worse', '2']);
    await move(ids);
    t.match(await entries('dead'), [{ error: 'ENTRY_NOT_COPIED', origin_id: ids[0] }]);
    t.match(await entries('dlq'), [{ event_id: '2' }]);
    t.match(await entries('transcribe'), [{ event_id: 'worse' }]);
    t.equal(await pending(), 0, 'and stops nobody');
  },
);

t.test('what fails whatever the entry is raised, and no entry is touched', async (t) => {
  const ids = await read(['1', '2']);
  await redis.set('full', '1');
  await t.rejects(move(ids), /OOM injected/);
  t.same([await length('transcribe'), await pending(), await length('dlq'), await length('dead')], [2, 2, 0, 0]);
});

t.test(
  'an entry that killed its consumers and cannot be copied is given up, those beside it are taken over',
  async (t) => {
    const ids = await read(['bad', '2']);
    await redis.call('XCLAIM', from, COLLECTOR_GROUP, 'a', '0', ids[0] ?? '', 'RETRYCOUNT', '3', 'JUSTID');
    const places = { stream: from, dead, group: COLLECTOR_GROUP, consumer: 'b' };
    const terms = { minIdleMs: 0, count: 10, maxDeliveries: 3, aloneFrom: 3 };
    const [taken, buried] = (await claimEntries(redis, { ...places, ...terms })) as unknown[];
    t.match(taken, [[ids[1], 2]]);
    t.same(buried, [ids[0]]);
    t.match(await entries('dead'), [{ surplus: '["event_id","bad"]', error: 'ENTRY_NOT_COPIED' }]);
  },
);

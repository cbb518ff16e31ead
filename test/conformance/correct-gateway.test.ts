/** Our column of `npm run conformance`, on every route, without what tells times or waits for many seconds. */
import t from 'tap';
import { CASES } from '../../scripts/conformance/all-cases.ts';
import { openColumn, OURS, playAlongLanes } from '../../scripts/conformance/play.ts';
import { startRedis } from '../fixtures/redis.ts';

/** What the build of uWebSockets.js leaves to be wished (`docs/decisions/http-server-build.md`): by case, what comes out where it goes wrong. */
const OF_THE_BUILD: Readonly<Record<string, RegExp>> = {
  'expect-refused': /^100 while it asks$/,
};

const redis = await startRedis(t);
const opened = await openColumn(OURS, { redisUrl: redis.url, cache: '' });
if ('missing' in opened) throw new Error(opened.missing);
t.teardown(() => opened.close());

const quick = CASES.filter(({ pace }) => pace === 'quick');
const outcomes = playAlongLanes(quick, opened);

for (const [at, { name, title }] of quick.entries()) {
  t.test(`${name}: ${title}`, async (t) => {
    const { isGood = false, holes = [] } = (await outcomes[at]) ?? {};
    const known = OF_THE_BUILD[name];
    t.strictSame(
      holes.filter(({ cell }) => known?.test(cell) !== true),
      [],
    );
    t.equal(isGood, known === undefined, 'what is known to be wrong is still wrong');
  });
}

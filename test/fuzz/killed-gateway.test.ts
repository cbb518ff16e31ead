/**
 * A gateway killed at random moments under load, with Redis up, frozen or gone: every request that a client saw answered is on the ledger
 * exactly once, and every one that reached the provider is accounted. Real processes; `npm run fuzz -- killed-gateway` runs it for longer.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { createGrantPublisher } from '../../transports/redis/grants/grant-publisher.ts';
import { insertAccount } from '../fixtures/account.ts';
import { realClock } from '../fixtures/api-listener.ts';
import { startCollector } from '../fixtures/collector.ts';
import { eventually, openTestStreams } from '../fixtures/event-streams-on-redis.ts';
import { chanceFrom, fuzzMs, fuzzSeed } from '../fixtures/fuzz-run.ts';
import { ask, startCountingProvider, startGatewayProcess } from '../fixtures/gateway-process.ts';
import { startJobsServer } from '../fixtures/jobs-server.ts';
import { createMigratedDatabase } from '../fixtures/migrated-database.ts';
import { startRedis } from '../fixtures/redis.ts';

const AT_ONCE = 12;
const WAYS = ['up', 'frozen', 'killed'] as const;

t.setTimeout(fuzzMs + 180_000);

t.test(
  `no answered request is lost and none billed twice, whenever the gateway is killed (seed ${fuzzSeed})`,
  async (t) => {
    const chance = chanceFrom(fuzzSeed);
    const database = await createMigratedDatabase(t);
    const redis = await startRedis(t, { fsync: 'always' });
    const streams = await openTestStreams(t, redis);
    const api = await startJobsServer(t, database, redis);
    const provider = await startCountingProvider(t, 40);
    startCollector(t, { redisUrl: redis.url, apiUrl: api.url, key: api.key, scheduleMs: [500, 5000, 20_000] });
    const account = await insertAccount(database.admin, { balance: 10_000_000 });
    await createGrantPublisher(streams.redis, realClock).issue({
      ...{ ...account, familyId: 'family', expiresAtMs: Date.now() + 3_600_000 },
      tokenHash: createHash('sha256').update('good').digest('base64url'),
    });

    const answered: string[] = [];
    const mustBeKnown: string[] = [];
    let gateway = await startGatewayProcess(t, redis.url, provider.url);
    const untilMs = performance.now() + fuzzMs;
    for (let round = 0; round < WAYS.length || performance.now() < untilMs; round += 1) {
      const way = round < WAYS.length ? WAYS[round] : chance.pick(WAYS);
      const current = gateway;
      const load = new AbortController();
      const before = answered.length;
      const asking = Array.from({ length: AT_ONCE }, async () => {
        while (!load.signal.aborted) {
          const session = await ask(current, 'good', chance.pick(['transcription', 'chat', 'stream']));
          if (session !== undefined) answered.push(session);
        }
      });
      const more = async (count: number) => {
        const from = answered.length;
        await eventually(() => answered.length >= from + count);
      };
      await more(10);
      if (way === 'frozen') redis.freeze();
      if (way === 'killed') await redis.kill();
      await more(20 + chance.below(100));
      await sleep(chance.below(20));
      current.signal('SIGKILL');
      await current.ended;
      load.abort();
      await Promise.all(asking);
      mustBeKnown.push(...provider.seen);
      redis.thaw();
      if (way === 'killed') await redis.restart();
      t.comment(`Redis ${way}: killed after ${answered.length - before} answers`);
      gateway = await startGatewayProcess(t, redis.url, provider.url, { home: current.home });
    }

    const known = async () => {
      const rows = await database.admin<{ session_id: string; outcome: string }[]>`
      select session_id, outcome from jobs where user_id = ${account.userId}`;
      const outcomes = new Map<string, string[]>();
      for (const { session_id, outcome } of rows)
        outcomes.set(session_id, [...(outcomes.get(session_id) ?? []), outcome]);
      return outcomes;
    };
    await Promise.race([
      eventually(async () => {
        const outcomes = await known();
        return [...answered, ...mustBeKnown].every((session) => outcomes.has(session));
      }),
      sleep(60_000, undefined, { ref: false }),
    ]);
    const outcomes = await known();
    t.same(
      answered.filter((session) => outcomes.get(session)?.join() !== 'ok'),
      [],
      `each of ${answered.length} answered requests is on the ledger once`,
    );
    const reached = new Set(mustBeKnown);
    t.same(
      [...reached].filter((session) => outcomes.get(session)?.length !== 1),
      [],
      `each of ${reached.size} requests that reached the provider is accounted once`,
    );
    const lost = [...outcomes.values()].filter((each) => each.includes('lost')).length;
    t.comment(`${lost} requests were under way when a gateway was killed, and are reported as lost`);
    t.equal(await streams.length('dead'), 0);
  },
);

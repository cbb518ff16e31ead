import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { obtainRedis } from '../../../scripts/foundation/obtain-redis.ts';
import { temporaryFolder, type Teardown } from '../../fixtures/temporary-folder.ts';

/** A search that finds one program, which is a shell script. */
function searchFor(t: Teardown, name: string, script: string) {
  const folder = temporaryFolder(t);
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const search = { cache: join(folder, 'cache'), signal: new AbortController().signal, report: () => undefined };
  return { path, search: { ...search, searchPath: `${join(folder, 'nothing')}::${folder}` } };
}

t.test('takes a server from the PATH, be it Redis or Valkey, and tells its version', async (t) => {
  const redis = searchFor(t, 'redis-server', 'echo "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc bits=64"');
  t.strictSame(await obtainRedis(redis.search), { path: redis.path, version: '7.0.15' });
  const valkey = searchFor(t, 'valkey-server', 'echo "Valkey server v=8.0.1 sha=00000000:0"');
  t.strictSame(await obtainRedis(valkey.search), { path: valkey.path, version: '8.0.1' });
});

t.test('takes what an earlier run unpacked into the cache', async (t) => {
  const { search } = searchFor(t, 'unrelated', 'exit 0');
  mkdirSync(join(search.cache, 'redis'), { recursive: true });
  const path = join(search.cache, 'redis', 'redis-server');
  writeFileSync(path, '#!/bin/sh\necho "Redis server v=7.2.1"\n', { mode: 0o755 });
  t.strictSame(await obtainRedis(search), { path, version: '7.2.1' });
});

t.test('refuses a server that is too old or does not run, and says how to get one', async (t) => {
  const old = searchFor(t, 'redis-server', 'echo "Redis server v=6.2.14 sha=00000000:0"');
  await t.rejects(obtainRedis(old.search), /is version 6\.2\.14; Vello needs 7 or newer.*VELLO_REDIS_URL/s);
  const broken = searchFor(t, 'redis-server', 'echo "libjemalloc.so.2: cannot open shared object file" >&2; exit 127');
  await t.rejects(obtainRedis(broken.search), /does not run.*libjemalloc.*VELLO_REDIS_URL/s);
});

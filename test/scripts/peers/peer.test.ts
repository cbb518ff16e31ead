/** Of the peers, what can be shown without fetching them: what is missing says so, and what was started can be stopped. */
import t from 'tap';
import { PEERS } from '../../../scripts/peers/all-peers.ts';
import { startPeerProgram, type PeerWorld } from '../../../scripts/peers/peer.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

t.test('a peer that was not fetched says so, and one of the PATH starts or says so', async (t) => {
  const world: PeerWorld = {
    ...{ upstreamUrl: 'http://127.0.0.1:9', token: 't', providerKey: 'k', redisUrl: 'redis://:p@127.0.0.1:9' },
    cache: temporaryFolder(t),
  };
  for (const peer of PEERS) {
    const started = await peer.start(world);
    t.equal(started.name, peer.name);
    if ('missing' in started) {
      t.match(started.missing, /fetched/);
      continue;
    }
    t.match(peer.name, /^(nginx|HAProxy)(, defaults)?$/, 'all others are fetched');
    t.teardown(() => started.stop());
    t.match(started.version, /^\d+\.\d+/);
    const { status } = await fetch(`${started.url}/v1/models`);
    t.ok([502, 503].includes(status), `${status}`);
    await started.stop();
    t.notOk(started.isRunning());
    await t.rejects(fetch(started.url), 'and its port is closed');
  }
});

t.test('a program that does not come up is an error with its last words, and leaves nothing running', async (t) => {
  const script = 'console.error("no such thing"); process.exitCode = 3;';
  await t.rejects(
    startPeerProgram({ name: 'broken', version: '1', command: () => [process.execPath, '-e', script] }),
    /broken does not serve:\nno such thing/,
  );
});

t.test('one that serves gets its port and its folder, and is ended', async (t) => {
  const script =
    'require("node:http").createServer((_, r) => r.end(process.argv[2])).listen(process.argv[1], "127.0.0.1")';
  const peer = await startPeerProgram({
    name: 'small',
    version: '1',
    command: (port, folder) => [process.execPath, '-e', script, String(port), folder],
  });
  t.match(await (await fetch(peer.url)).text(), /vello-peer-/);
  t.ok(peer.isRunning());
  await peer.stop();
  t.notOk(peer.isRunning());
});

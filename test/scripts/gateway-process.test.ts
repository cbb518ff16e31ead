import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { freePort } from '../fixtures/free-port.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const ENTRY = fileURLToPath(new URL('../../scripts/gateway-process.js', import.meta.url));

t.test('one whose Vello died before it could listen for that ends all the same', async (t) => {
  const [redis, gateway] = [await freePort(), await freePort()];
  const home = temporaryFolder(t);
  mkdirSync(join(home, 'gateway'));
  const child = fork(ENTRY, ['1'], {
    env: {
      PATH: process.env['PATH'],
      VELLO_HOME: home,
      VELLO_REDIS_URL: `redis://127.0.0.1:${redis}`,
      VELLO_INFERENCE_KEY: 'key-of-the-inference-role-of-a-test',
      VELLO_PROVIDER_URL: 'http://127.0.0.1:9',
      VELLO_GATEWAY_LISTEN: `127.0.0.1:${gateway}`,
      VELLO_DRAIN_MS: '1000',
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  child.disconnect();
  t.same(await ended, [0, null]);
});

/** HTTP/1.0 is not spoken: what nginx sends by default is refused, and with the two lines of docs/operations.md it works. Real nginx. */
import '../../../fixtures/header-limit.ts';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { freePort } from '../../../fixtures/free-port.ts';
import { temporaryFolder, type Teardown } from '../../../fixtures/temporary-folder.ts';

const nginx = ['nginx', '/usr/sbin/nginx'].find((path) => spawnSync(path, ['-v']).status === 0);

async function startNginx(t: Teardown, target: number, lines: string): Promise<string> {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
http { access_log off; ${paths.join(' ')} server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${target}; ${lines} } } }`,
  );
  const child = spawn(nginx ?? '', ['-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' });
  t.teardown(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  const url = `http://127.0.0.1:${port}/here`;
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return url;
    await sleep(25);
  }
  throw new Error('nginx did not open its port.');
}

t.test('behind nginx', { skip: nginx === undefined ? 'there is no nginx on this machine' : false }, async (t) => {
  const { port } = await startTestListener(t, (server) =>
    server.route('GET', '/here', () => ({ status: 200, body: 'here' })),
  );
  t.equal((await fetch(await startNginx(t, port, ''))).status, 505);
  const answer = await fetch(await startNginx(t, port, 'proxy_http_version 1.1; proxy_set_header Connection "";'));
  t.equal(answer.status, 200);
  t.equal(await answer.text(), 'here');
});

/** What docs/deploying.md says, done: every role on hosts of its own, several of each, behind nginx with the settings that are shipped. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { newPerson, speak, startInstallation, stopAll } from '../fixtures/installation.ts';
import { obtainProxy, startReverseProxy } from '../fixtures/reverse-proxy.ts';

const nginx = await obtainProxy('nginx');

t.test('many hosts', { skip: nginx instanceof Error ? nginx.message : false }, async (t) => {
  if (nginx instanceof Error) return;
  const { addressOf, deploy, restart } = await startInstallation(t);
  const proxy = await startReverseProxy(t, 'nginx', nginx, {
    api: [`${addressOf('10.0.0.21')}:8080`, `${addressOf('10.0.0.22')}:8080`],
    gateway: [`${addressOf('10.0.0.31')}:8081`, `${addressOf('10.0.0.32')}:8081`],
    adminPort: '8090',
  });
  const processes = await deploy('N hosts', proxy.apiUrl, { NODE_EXTRA_CA_CERTS: proxy.certificateFile });
  const anna = newPerson();
  for (const { name, home } of processes)
    t.equal(existsSync(join(home, 'keys')), name === 'collector', `keys, ${name}`);
  const on = (host: string) => processes.filter((process) => process.host === host);
  // Of this process only: the proxy's certificate is checked by the collectors and in behind-proxies.test.ts.
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  t.teardown(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);

  await t.test('every api and every gateway takes its part', async (t) => {
    const people = [anna, newPerson(), newPerson(), newPerson()];
    await Promise.all(people.map((person) => speak(t, proxy.apiUrl, proxy.gatewayUrl, person)));
    for (const { host, name } of processes.filter(({ name }) => name === 'api' || name === 'gateway')) {
      const metrics = await (await fetch(`http://${addressOf(host)}:8090/metrics`)).text();
      t.match(
        metrics,
        /^vello_http_requests_total\{listener="(api|gateway)",route="\/[^"]+",status="2/m,
        `${name} ${host}`,
      );
    }
  });

  await t.test('one of each may die', async (t) => {
    for (const host of ['10.0.0.21', '10.0.0.31', '10.0.0.41']) {
      for (const process of on(host)) {
        process.signal('SIGKILL');
        await process.ended;
      }
    }
    await speak(t, proxy.apiUrl, proxy.gatewayUrl, anna);
  });

  await t.test('a collector makes itself a new key where its old one is taken away', async (t) => {
    for (const collector of on('10.0.0.42')) {
      t.strictSame(await stopAll([collector]), [0]);
      rmSync(join(collector.home, 'keys', 'collector.pem'));
      await restart(collector);
    }
    await speak(t, proxy.apiUrl, proxy.gatewayUrl, anna);
  });
});

/** The passwords of the database roles are changed while the api runs, as another installation on the same server once did. */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { deriveIdentitySecrets } from '../../actors/crypto/secrets.ts';
import { TEST_SECRET_KEY } from '../fixtures/migrated-database.ts';
import { startTestCluster } from '../fixtures/postgres.ts';
import { runVello } from '../fixtures/running-vello.ts';

// Roles belong to the whole server: this one is the test's own.
const cluster = await startTestCluster(t);
process.env['VELLO_TEST_DATABASE_URL'] = cluster.url;

interface Ready {
  readonly status: number;
  readonly body: unknown;
}

t.test(
  'a password that is refused while the api runs turns readiness red with its cause, and heals by itself',
  async (t) => {
    const vello = await runVello(t, { roles: ['api'] });
    const ready = async (): Promise<Ready> => {
      const answer = await fetch(`${vello.adminUrl}/health/ready`);
      return { status: answer.status, body: await answer.json() };
    };
    const becomes = async (status: number): Promise<{ readonly ready: Ready; readonly elapsedMs: number }> => {
      const startedAt = performance.now();
      for (let found = await ready(); ; found = await ready()) {
        const elapsedMs = performance.now() - startedAt;
        if (found.status === status || elapsedMs > 20_000) return { ready: found, elapsedMs };
        await sleep(100);
      }
    };
    const passwords = deriveIdentitySecrets(TEST_SECRET_KEY).rolePasswords;

    for (const role of ['vello_api', 'vello_service'] as const) {
      t.equal((await becomes(200)).ready.status, 200);
      await vello.database.unsafe(`alter role ${role} password 'of somebody else'`);
      const red = await becomes(503);
      t.match(red.ready, {
        status: 503,
        body: {
          waiting_for: ['vello/api/database'],
          problems: { 'vello/api/database': new RegExp(`refuses the password of ${role} \\(28P01\\)`) },
        },
      });
      t.ok(red.elapsedMs < 6000, `red after ${Math.round(red.elapsedMs)} ms`);

      // Connections that are open outlive the change; a request that needs a new one is told to come again.
      await vello.database`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`;
      if (role === 'vello_service') {
        const refused = await fetch(`${vello.apiUrl}/api/auth/refresh`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ refresh_token: 'A'.repeat(43) }),
        });
        t.match(refused, { status: 503 });
        t.ok(refused.headers.has('retry-after'));
      }

      await vello.database.unsafe(`alter role ${role} password '${passwords[role]}'`);
      const green = await becomes(200);
      t.equal(green.ready.status, 200);
      t.ok(green.elapsedMs < 6000, `green after ${Math.round(green.elapsedMs)} ms`);
    }
    t.match(vello.logged(), /28P01.*the store does not let us in/);
  },
);

t.test('a database that is away is named too', async (t) => {
  const vello = await runVello(t, { roles: ['api'] });
  await cluster.crash();
  const startedAt = performance.now();
  let answer = await fetch(`${vello.adminUrl}/health/ready`);
  while (answer.status === 200 && performance.now() - startedAt < 20_000) {
    await sleep(100);
    answer = await fetch(`${vello.adminUrl}/health/ready`);
  }
  t.equal(answer.status, 503);
  t.match(await answer.json(), { problems: { 'vello/api/database': /ECONNREFUSED/ } });
  await cluster.restart();
  await vello.ready();
});

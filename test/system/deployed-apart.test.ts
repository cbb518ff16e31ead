/** What docs/deploying.md says, done: its processes on one host, then on two with the same data. */
import t from 'tap';
import { newPerson, speak, startInstallation, stopAll } from '../fixtures/installation.ts';

const { addressOf, deploy } = await startInstallation(t);
const anna = newPerson();

t.test('one host', async (t) => {
  const processes = await deploy('One host');
  const { api = 0, gateway = 0 } = processes[0]?.ports ?? {};
  await speak(t, `http://127.0.0.1:${api}`, `http://127.0.0.1:${gateway}`, anna);
  t.strictSame(await stopAll(processes), [0]);
});

t.test('two hosts', async (t) => {
  const processes = await deploy('Two hosts');
  await speak(t, `http://${addressOf('10.0.0.11')}:8080`, `http://${addressOf('10.0.0.12')}:8081`, anna);
  t.strictSame(await stopAll(processes), [0, 0]);
});

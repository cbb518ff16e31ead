import t from 'tap';
import { createTestImports } from '../../../scripts/testing/test-imports.ts';
import { projectFolder } from '../../fixtures/source-files.ts';

const imports = createTestImports(projectFolder);

t.test('a test that only computes needs no servers; one that starts some or a whole process does', async (t) => {
  for (const test of ['test/actors/metering/event-stream-parser.test.ts', 'test/supervisors/budget.test.ts'])
    t.notOk(imports.needsServers(test), test);
  for (const test of [
    'test/transports/websocket/desktop-endpoint.test.ts',
    'test/transports/process/postgres-cluster.test.ts',
    'test/system/sign-in.test.ts',
    'test/system/deployed-apart.test.ts',
  ])
    t.ok(imports.needsServers(test), test);
});

t.test('what a test reaches is followed through what it imports', async (t) => {
  const reached = imports.reachedFrom('test/supervisors/budget.test.ts');
  t.ok(reached.has('test/supervisors/budget.test.ts'));
  t.ok(reached.has('supervisors/restart-budget.ts'));
  t.notOk(reached.has('supervisors/root.ts'));
});

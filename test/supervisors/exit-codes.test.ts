import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { METRICS } from '../../config/metrics.ts';
import { DRAIN_PHASES } from '../../actors/ports/drain.ts';
import { EXIT, exitCodeOf } from '../../supervisors/exit-codes.ts';
import { projectFolder } from '../fixtures/source-files.ts';

const operations = readFileSync(join(projectFolder, 'docs/operations.md'), 'utf8');

t.test('docs/operations.md lists every exit code, and none that cannot happen', async (t) => {
  const documented = [...operations.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code));
  t.strictSame(documented, [...Object.values(EXIT), exitCodeOf('SIGINT'), exitCodeOf('SIGTERM')]);
});

t.test('docs/operations.md lists the drain phases in their order, and names only metrics that exist', async (t) => {
  const phases = [...operations.matchAll(/^\| `(\w+)` +\|/gm)].map(([, phase]) => phase);
  t.strictSame(phases, [...DRAIN_PHASES]);
  const named = [...operations.matchAll(/`(vello_\w+)/g)].map(([, name = '']) => name);
  t.ok(named.length > 5);
  t.strictSame(
    named.filter((name) => !(name in METRICS)),
    [],
  );
});

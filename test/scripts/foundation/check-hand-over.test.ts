import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { handOverWarning } from '../../../scripts/foundation/check-hand-over.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

t.test('a system that would turn somebody away is named with what to do, another is not', async (t) => {
  const file = join(temporaryFolder(t), 'tcp_migrate_req');
  t.match(handOverWarning(file), /is not 1: .*needs Linux 5\.14/);
  writeFileSync(file, '0\n');
  t.match(handOverWarning(file), /is not 1: .*sysctl -w net\.ipv4\.tcp_migrate_req=1/);
  writeFileSync(file, '1\n');
  t.equal(handOverWarning(file), undefined);
});

import t from 'tap';
import {
  createTapReader,
  listFailures,
  listSkipped,
  tally,
  type TestPoint,
} from '../../../scripts/testing/tap-report.ts';

function read(text: string, exit = ''): TestPoint[] {
  const reader = createTapReader();
  for (const line of text.split('\n')) reader.line(line);
  return [reader.end('build/test/one.test.js', 5, exit)];
}

const mixed = `TAP version 14
# Subtest: keeps a promise
    ok 1 - should be equal
    ok 2 - should be equal
    1..2
ok 1 - keeps a promise # time=12.5ms

# Subtest: breaks a promise
    ok 1 - should be equal
    not ok 2 - should match
      ---
      diff: |
        -ok 1
        +not ok 1
      ...
    1..2
not ok 2 - breaks a promise # time=1ms

# Subtest: outer
    # Subtest: inner
        ok 1 - yes
        1..1
    ok 1 - inner # time=1ms
    1..1
ok 3 - outer # time=2ms
ok 4 - later # SKIP needs a second machine
ok 5 - stands alone
ok 6 - ran beside others # time=1ms {
    ok 1 - yes
    1..1
}
1..6
`;

t.test('counts promises, not assertions, and an emptied file as a failure', async (t) => {
  t.strictSame(tally(read(mixed)), { passed: 4, failed: 1, skipped: 1 });
  t.strictSame(tally(read('1..0 # no tests found')), { passed: 0, failed: 1, skipped: 0 });
});

t.test('shows a failure once, by the titles that lead to it, with all that was said', async (t) => {
  const failures = listFailures(read(mixed));
  t.equal(failures.length, 1);
  t.strictSame(failures[0]?.path, ['build/test/one.test.js', 'breaks a promise', 'should match']);
  t.match(failures[0]?.point.diagnostic, /\+not ok 1/);
});

t.test('tells why something was skipped', async (t) => {
  t.match(listSkipped(read(mixed)), [{ reason: 'needs a second machine' }]);
});

t.test('counts a file that failed without a failing test', async (t) => {
  const text = '# Subtest: fine\n    ok 1 - yes\n    1..1\nok 1 - fine # time=1ms\n1..1';
  t.strictSame(tally(read(text, 'exit code 1')), { passed: 1, failed: 1, skipped: 0 });
  t.strictSame(tally(read(text.replace(/1\.\.1$/, '1..2'))), { passed: 1, failed: 1, skipped: 0 }, 'a test is missing');
  t.strictSame(tally(read(text)), { passed: 1, failed: 0, skipped: 0 });
});

t.test('a test of which a part was left out has not passed', async (t) => {
  const reader = createTapReader();
  const text = ['# Subtest: half', '    ok 1 - a', '    not ok 2 - b # TODO later', '    1..2', 'ok 1 - half', '1..1'];
  for (const line of text) reader.line(line);
  t.strictSame(tally([reader.end('x', 1, '')]), { passed: 0, failed: 0, skipped: 1 });
});

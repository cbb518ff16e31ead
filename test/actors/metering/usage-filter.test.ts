import t from 'tap';
import { UsageFilter } from '../../../actors/metering/usage-filter.ts';

const account = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}';
const word = 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}],"usage":null}';

function filtered(stream: string, size: number): string {
  const filter = new UsageFilter();
  const bytes = Buffer.from(stream);
  const passed: Buffer[] = [];
  // Each piece in memory of its own that is overwritten afterwards, as a socket's is.
  for (let from = 0; from < bytes.length; from += size) {
    const piece = Buffer.from(bytes.subarray(from, from + size));
    passed.push(Buffer.from(filter.push(piece)));
    piece.fill('\n');
  }
  passed.push(filter.flush());
  return Buffer.concat(passed).toString();
}

t.test('the account is taken out of a stream, and every other byte passes, however it is cut', async (t) => {
  for (const end of ['\n', '\r\n', '\r']) {
    const others = [
      ': comment',
      'data: {"choices":[],"prompt_filter_results":[{"index":0}],"usage":null}',
      word,
      `event: x${end}id: 7${end}${word}`,
      'data: {"choices":[{"delta":{"content":"\\"choices\\":[],\\"usage\\":{}"}}]}',
      'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9}}',
      'data: {"choices":[],"usage":',
    ].map((event) => `${event}${end}${end}`);
    const done = `data: [DONE]${end}${end}`;
    for (let size = 1; size < 40; size += 1) {
      t.equal(filtered([...others, account, end, end, done].join(''), size), [...others, done].join(''));
    }
    t.equal(filtered(`${account}${end}${end}${done}`, 1_000), done);
    t.equal(filtered(`${word}${end}${end}${account}`, 7), `${word}${end}${end}`, 'without the empty line at the end');
  }
});

t.test('what only looks like the account passes', async (t) => {
  for (const stream of [
    '\n\ndata: {"choices":[],"usage":7}\n\n',
    'data: {"choices":[],"usage":null}\n\n',
    'data: {"usage":{"total_tokens":1}}\n\n',
    'data: {"choices":{},"usage":{}}\n\n',
    'data: {"choices":[],"usage":{}\n\n',
    'data:null\n\n',
    'id: "usage"\n\n',
    'data: {"choices":[\n\n',
  ]) {
    for (const size of [1, 9, 100]) t.equal(filtered(stream, size), stream);
  }
  t.equal(filtered(`\n${account}\n\n`, 100), '\n', 'behind an empty line as well');
  t.equal(filtered(`id: 1\nretry: 5\n${account}\n\n`, 100), '', 'with other fields');
  t.equal(filtered('data:{"choices":[],"usage":{}}\n\n', 3), '', 'without a blank');
});

t.test('an account on several lines, or in another order, is one as well', async (t) => {
  t.equal(filtered('data: {"usage":{"total_tokens":1},\ndata: "choices":[ ]}\n\n', 5), '');
});

t.test('an event passes from the byte on that tells it from the account', async (t) => {
  const cases: [string, string][] = [
    ['data: {"usage":null,"choices":[', '{'],
    ['data: ', '['],
    ['data: {"choices":', 'n'],
    [`data: {"x":"${'x'.repeat(16 * 1024 - 12)}`, 'x'],
  ];
  for (const [undecided, deciding] of cases) {
    const filter = new UsageFilter();
    t.equal(filter.push(Buffer.from(undecided)).length, 0);
    t.equal(filter.push(Buffer.from(deciding)).toString(), undecided + deciding);
    t.equal(filter.push(Buffer.from('more')).toString(), 'more');
  }
});

t.test('an event in tiny pieces costs what its bytes cost: it is not read anew with each of them', async (t) => {
  const undecided = Buffer.from(`data: {"id":"${'x'.repeat(16_000)}"}\n\n`);
  const costOf = (size: number): number => {
    const before = process.cpuUsage();
    const filter = new UsageFilter();
    let passed = 0;
    for (let round = 0; round < 8; round += 1) {
      for (let at = 0; at < undecided.length; at += size) {
        passed += filter.push(Buffer.from(undecided.subarray(at, at + size))).length;
      }
    }
    t.equal(passed, 8 * undecided.length);
    return process.cpuUsage(before).user / 1000;
  };
  costOf(1);
  const cost = costOf(1);
  t.ok(cost < 1_000, `128 kB in bytes took ${cost} ms; read anew with each byte they take over 4 s`);
});

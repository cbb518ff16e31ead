import t from 'tap';
import { createSseReader } from '../../../actors/metering/sse-reader.ts';

function read(pieces: readonly string[], eventBytes = 1000) {
  const events: string[] = [];
  const reader = createSseReader(eventBytes, (data) => events.push(data));
  const between = pieces.map((piece) => {
    reader.push(Buffer.from(piece));
    return reader.betweenEvents();
  });
  return { events, between };
}

t.test('one blank behind the colon is no part of the data; fields of other names are passed over', async (t) => {
  const { events } = read(['data:  two\ndata:none\nevent: x\nid: 1\n:data: no\ndatax: no\n\n']);
  t.strictSame(events, [' two\nnone']);
});

t.test('an event without data is none, and an empty stream is between events', async (t) => {
  t.strictSame(read(['', ': hello\n\n\n\n', 'event: x\n\n']), { events: [], between: [true, true, true] });
});

t.test('any line end ends a line, also where pieces are cut within it', async (t) => {
  for (const [pieces, expected] of [
    [['data: a\r', '\ndata: b\r', '\n\r', '\n'], ['a\nb']],
    [
      ['data: a\r', 'data: b\r', '\r', 'data: c\n\n'],
      ['a\nb', 'c'],
    ],
    [['data: a\n', '\n'], ['a']],
    [
      ['data: a\n\r', '\ndata: b\n\n'],
      ['a', 'b'],
    ],
    [['data: a\r\n', '\n'], ['a']],
    [['data: a\r', '\ndata: b\n\n'], ['a\nb']],
    [['data: a\rx\n', 'data: b\n\n'], ['a\nb']],
  ] as const) {
    t.strictSame(read(pieces).events, expected, JSON.stringify(pieces));
  }
});

t.test('whether an event is under way is known after every piece', async (t) => {
  t.strictSame(read(['d', 'ata: a', '\n', '\n', 'data: b\n\n', ':']).between, [false, false, false, true, true, false]);
});

t.test('an event of the bound is read, one byte more is passed over, and what follows is read again', async (t) => {
  const bound = 'data: 1234'.length;
  t.strictSame(read(['data: 1234\n\n'], bound).events, ['1234']);
  for (const pieces of [['data: 12345\n\n'], ['data: 1', '2345\n\n'], ['data: 12345', '\n', 'data: 6\n', '\n']]) {
    const { events, between } = read([...pieces, 'data: x\n\n', 'data: y\n\n'], bound);
    t.strictSame(events, ['x', 'y'], JSON.stringify(pieces));
    t.equal(between.at(-1), true);
  }
  t.strictSame(read(['data: 12\ndata: 34\n\ndata: x\n\n'], bound).events, ['x'], 'lines count together');
});

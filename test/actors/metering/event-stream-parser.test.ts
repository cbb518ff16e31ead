import fc from 'fast-check';
import t from 'tap';
import {
  createEventStreamParser,
  parseEventStream,
  type StreamedEvent,
} from '../../../actors/metering/event-stream-parser.ts';

/** Data of the events, and after every piece whether the stream is between two. */
function read(pieces: readonly string[], maxCharacters = 1000) {
  const events: string[] = [];
  const parser = createEventStreamParser(maxCharacters, ({ data }) => events.push(data));
  const between = pieces.map((piece) => {
    parser.push(Buffer.from(piece));
    return parser.betweenEvents();
  });
  return { events, between };
}

async function parse(pieces: readonly Uint8Array[]): Promise<StreamedEvent[]> {
  const arriving = async function* () {
    yield* pieces;
  };
  const events: StreamedEvent[] = [];
  for await (const event of parseEventStream(arriving())) events.push(event);
  return events;
}

function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set([0, ...cuts.map((place) => place % (bytes.length + 1)), bytes.length])];
  places.sort((a, b) => a - b);
  return places.map((start, index) => bytes.subarray(start, places[index + 1] ?? bytes.length));
}

t.test('events come out whole wherever the bytes were cut, inside characters and line ends too', async (t) => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, '').trimStart());
  const events = fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { maxLength: 5 });
  const ends = fc.constantFrom('\n', '\r\n', '\r');
  await fc.assert(
    fc.asyncProperty(events, ends, fc.array(fc.nat()), async (sent, end, cuts) => {
      const text = sent.map((lines) => lines.map((data) => `data: ${data}${end}`).join('') + end).join('');
      const received = await parse(cut(Buffer.from(text), cuts));
      t.strictSame(
        received.map(({ data }) => data),
        sent.map((lines) => lines.join('\n')),
      );
    }),
    { numRuns: 200 },
  );
});

t.test('an event keeps its name, comments are skipped, and one without its blank line is dropped', async (t) => {
  const text = ': keep-alive\r\revent: done\rdata:{"a":1}\r\rdata: a\r\rdata: lost';
  t.strictSame(await parse([Buffer.from(text)]), [
    { event: 'done', data: '{"a":1}' },
    { event: 'message', data: 'a' },
  ]);
});

t.test('one blank behind the colon is no part of the data; fields of other names are passed over', async (t) => {
  const { events } = read(['data:  two\ndata:none\nevent: x\nid: 1\n:data: no\ndatax: no\n\n']);
  t.strictSame(events, [' two\nnone']);
});

t.test('an event without data is none, and an empty stream is between events', async (t) => {
  t.strictSame(read(['', ': hello\n\n\n\n', 'event: x\n\n']), { events: [], between: [true, true, true] });
  t.strictSame(read(['data\n\ndata:\n\n']).events, ['', ''], 'an empty line of data is data');
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
    [['data: a\r', '', '\ndata: b\n\n'], ['a\nb']],
    [['data: a\rx\n', 'data: b\n\n'], ['a\nb']],
  ] as const) {
    t.strictSame(read(pieces).events, expected, JSON.stringify(pieces));
  }
});

t.test('an event is there with its blank line, without waiting for what follows', async (t) => {
  for (const text of ['data: a\n\n', 'data: a\r\n\r\n', 'data: a\r\r']) t.strictSame(read([text]).events, ['a'], text);
});

t.test('a byte order mark may open the stream, and is text anywhere else', async (t) => {
  const mark = '\ufeff';
  t.strictSame(read([`${mark}data: a\n\n${mark}data: no\ndata: ${mark}b\n\n`]).events, ['a', `${mark}b`]);
  t.strictSame(read([`${mark}\ndata: a\n\n`]), { events: ['a'], between: [true] });
  const cutInside = cut(Buffer.from(`${mark}data: a\n\n`), [1, 2]);
  t.strictSame(await parse(cutInside), [{ event: 'message', data: 'a' }]);
});

t.test('bytes that are no UTF-8 become replacement characters, and end nothing', async (t) => {
  t.strictSame(await parse([Buffer.from('data: a\xff\n\n', 'latin1')]), [{ event: 'message', data: 'a\ufffd' }]);
});

t.test('what was handed over may be written over at once', async (t) => {
  const events: string[] = [];
  const parser = createEventStreamParser(1000, ({ data }) => events.push(data));
  for (const text of ['data: a', 'b\n', '\n']) {
    const piece = Buffer.from(text);
    parser.push(piece);
    piece.fill(0x78);
  }
  t.strictSame(events, ['ab']);
});

t.test('a large piece of nothing but ends of lines takes no longer than its length', async (t) => {
  for (const end of ['\r', '\n']) {
    const { events } = read([end.repeat(4_000_000) + `data: a${end}${end}`]);
    t.strictSame(events, ['a']);
  }
});

t.test('whether an event is under way is known after every piece', async (t) => {
  t.strictSame(read(['d', 'ata: a', '\n', '\n', 'data: b\n\n', ':']).between, [false, false, false, true, true, false]);
});

t.test(
  'an event of the bound is read, one character more is passed over, and what follows is read again',
  async (t) => {
    const bound = 'data: 1234'.length;
    t.strictSame(read(['data: 1234\n\n'], bound).events, ['1234']);
    t.strictSame(read(['data: äöü€\n\n'], bound).events, ['äöü€'], 'of as many characters, and more bytes');
    for (const pieces of [['data: 12345\n\n'], ['data: 1', '2345\n\n'], ['data: 12345', '\n', 'data: 6\n', '\n']]) {
      const { events, between } = read([...pieces, 'data: x\n\n', 'data: y\n\n'], bound);
      t.strictSame(events, ['x', 'y'], JSON.stringify(pieces));
      t.equal(between.at(-1), true);
    }
    t.strictSame(read(['data: 12\ndata: 34\n\ndata: x\n\n'], bound).events, ['x'], 'lines count together');
  },
);

t.test('of an event that is passed over its name and its end are told, wherever it was cut', async (t) => {
  const long = `event: done\ndata: ${'x'.repeat(40_000)}, the end\nid: 7\n\n`;
  for (const size of [1, 13, 17_000, 100_000]) {
    const told: string[] = [];
    const parser = createEventStreamParser(
      100,
      ({ data }) => told.push(data),
      (event, end) => told.push(`${event} ${end.length} ${end.slice(-14)}`),
    );
    const bytes = Buffer.from(`data: a\n\n${long}data: b\n\n`);
    for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size));
    t.strictSame(told, ['a', 'done 16384 , the endid: 7', 'b']);
  }
});

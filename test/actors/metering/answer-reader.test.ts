import t from 'tap';
import { createAnswerReader } from '../../../actors/metering/answer-reader.ts';

function read(contentType: string, body: string, size = body.length, type: 'transcribe' | 'process' = 'transcribe') {
  const reader = createAnswerReader(type, contentType);
  const bytes = Buffer.from(body);
  for (let from = 0; from < bytes.length; from += Math.max(1, size)) reader.push(bytes.subarray(from, from + size));
  return reader;
}

const done = '{"type":"transcript.text.done","text":"grüße dich","usage":{"type":"duration","seconds":0}}';

t.test(
  'text and usage of a streamed transcription are found however it is cut and whatever ends its lines',
  async (t) => {
    for (const lineEnd of ['\n', '\r\n', '\r']) {
      const body = [
        `: hello`,
        '',
        'event: x',
        `data: {"type":"transcript.text.delta","delta":"grü"}`,
        '',
        `data: ${done}`,
        '',
        '',
      ].join(lineEnd);
      for (const size of [1, 2, 5, body.length]) {
        const reader = read('text/event-stream; charset=utf-8', body, size);
        t.match(reader.summary(), {
          text: 'grüße dich',
          usage: { type: 'duration', seconds: 0 },
          audioSeconds: 0,
          finished: true,
        });
        t.equal(reader.betweenEvents(), true);
      }
    }
  },
);

t.test('an event stream that ends without its closing event is unfinished', async (t) => {
  const reader = read('text/event-stream', 'data: {"type":"transcript.text.delta","delta":"a"}\n\ndata: {"ty');
  t.same(reader.summary(), { finished: false });
  t.equal(reader.betweenEvents(), false);
});

t.test('data on several lines is one event, and a byte order mark is no part of it', async (t) => {
  const reader = read('text/event-stream', `\ufeffdata: {"type":"transcript.text.done",\ndata: "text":"x"}\n\n`);
  t.match(reader.summary(), { text: 'x', finished: true });
});

t.test('usage of a chat stream is that of its last frame', async (t) => {
  const body = 'data: {"choices":[],"usage":null}\n\ndata: {"usage":{"total_tokens":7}}\n\ndata: [DONE]\n\n';
  t.same(read('text/event-stream', body, 3, 'process').summary(), { usage: { total_tokens: 7 }, finished: true });
});

t.test('JSON and plain answers give their text; other media give nothing', async (t) => {
  t.same(read('application/json', '{"text":"a","usage":{"type":"tokens","total_tokens":3}}', 4).summary(), {
    text: 'a',
    usage: { type: 'tokens', total_tokens: 3 },
    finished: true,
  });
  t.match(read('application/json', '{"text":"a","duration":2.5}').summary(), { text: 'a', audioSeconds: 2.5 });
  t.same(read('text/plain; charset=utf-8', 'just text\n').summary(), { text: 'just text', finished: true });
  t.same(read('application/json', '{"text":').summary(), { finished: true });
  t.same(read('audio/mpeg', 'xx').summary(), { finished: true });
});

t.test('an answer of any length is held only up to the bound', async (t) => {
  const long = read('application/json', `{"text":"${'a'.repeat(4_200_000)}"}`, 100_000);
  t.notOk('text' in long.summary());
  const stream = read('text/event-stream', `data: ${'b'.repeat(4_200_000)}\n\ndata: ${done}\n\n`, 100_000);
  t.match(stream.summary(), { text: 'grüße dich', finished: true });
});

t.test(
  'the account of an answer is found without a content type, and behind 300 kB in one piece or one event',
  async (t) => {
    const usage = { prompt_tokens: 7, completion_tokens: 9 };
    const long = 'x'.repeat(300_000);
    const answers: [string, string][] = [
      ['', JSON.stringify({ choices: [], usage })],
      ['', `data: ${JSON.stringify({ choices: [], usage })}\n\n`],
      ['application/json', JSON.stringify({ choices: [{ message: { content: long } }], usage })],
      ['text/event-stream', `data: ${JSON.stringify({ choices: [{ delta: { content: long } }], usage })}\n\n`],
    ];
    for (const [contentType, body] of answers) {
      const reader = createAnswerReader('process', contentType);
      reader.push(Buffer.from(body));
      t.same(reader.summary().usage, usage, contentType);
    }
  },
);

t.test('the tokens of a streamed chat are counted as they pass', async (t) => {
  const reader = createAnswerReader('process', 'text/event-stream');
  const delta = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
  reader.push(Buffer.from(delta('Hello') + delta('!') + delta('many words at once in one event of 40 bytes')));
  t.equal(reader.summary().passedTokens, 2 + 1 + 11);
  reader.push(Buffer.from('data: {"choices": [{"delta": {"reasoning": "so it is", "content": "yes!"}}]}\n\n'));
  t.equal(reader.summary().passedTokens, 2 + 1 + 11 + 3, 'with blanks, and more than one text in an event');
});

t.test(
  'a chat whose JSON cannot be read is counted by the bytes that passed; of a transcription none is',
  async (t) => {
    for (const [bytes, body] of [
      [20, '{"choices":[{"messag'],
      [4_200_020, `{"choices":["${'a'.repeat(4_200_000)}"],"u"`.slice(0, 4_200_020)],
    ] as const) {
      t.same(read('application/json', body, 100_000, 'process').summary(), { passedTokens: bytes / 4, finished: true });
      t.same(read('application/json', body, 100_000).summary(), { finished: true });
    }
  },
);

t.test('without a content type the first byte tells what it is, if anything', async (t) => {
  const summaryOf = (body: string, type: 'transcribe' | 'process' = 'transcribe', size = body.length) =>
    read('', body, size, type).summary();
  t.match(summaryOf('  {"text":"a"}'), { text: 'a' });
  for (const size of [1, 4]) t.match(summaryOf('\n\n {"text":"a"}', 'transcribe', size), { text: 'a' });
  t.strictSame(summaryOf(' words\n'), { text: 'words', finished: true });
  t.strictSame(summaryOf(' words\n', 'process'), { finished: true }, 'the words of a chat are no recognised text');
  for (const start of [': hello', 'event: x', 'id: 1', 'retry: 5', 'data: {}']) {
    t.strictSame(summaryOf(`${start}\n\n`), { finished: false }, start);
    t.equal(read('', `${start}\n\n`).betweenEvents(), true, start);
  }
  t.strictSame(summaryOf('database: x'), { text: 'database: x', finished: true });
  t.strictSame(summaryOf(''), { finished: true });
  const empty = read('', '  ');
  t.strictSame([empty.summary(), empty.betweenEvents()], [{ finished: true }, false]);
});

t.test('the name of a medium is read in any case, without its parameters', async (t) => {
  t.match(read('Application/JSON ; charset=utf-8', '{"text":"a"}').summary(), { text: 'a' });
  t.match(read('TEXT/VTT', 'WEBVTT').summary(), { text: 'WEBVTT' });
  t.strictSame(read('text/plain', 'words', 5, 'process').summary(), { finished: true });
  t.strictSame(read('audio/mpeg', 'xx').betweenEvents(), false);
  t.strictSame(read('application/json', '{}').betweenEvents(), false);
});

t.test('an answer of the bound is read, and of one byte more nothing', async (t) => {
  const bound = 4 * 1024 * 1024;
  const body = (bytes: number) => `{"text":"${'a'.repeat(bytes - 11)}"}`;
  t.equal(read('application/json', body(bound), 65_536).summary().text?.length, bound - 11);
  t.strictSame(read('application/json', body(bound + 1), 65_536).summary(), { finished: true });
  t.strictSame(read('application/json', '', 1, 'process').summary(), { finished: true }, 'of nothing no token');
});

t.test('an account counts only where it is one', async (t) => {
  const answer = (value: object) => read('application/json', JSON.stringify(value)).summary();
  const usage = { type: 'duration', seconds: 2 };
  t.strictSame(answer({ usage }), { usage, audioSeconds: 2, finished: true });
  t.strictSame(
    answer({ duration: 9, usage }),
    { usage, audioSeconds: 2, finished: true },
    'before the duration beside it',
  );
  for (const other of [
    { type: 'duration', seconds: -1 },
    { type: 'duration', seconds: '2' },
    { type: 'tokens', seconds: 2 },
  ]) {
    t.strictSame(answer({ usage: other }), { usage: other, finished: true });
  }
  for (const none of [null, 7, 'x', [1]])
    t.strictSame(answer({ usage: none }), { finished: true }, JSON.stringify(none));
  t.strictSame(answer({ duration: 0 }), { audioSeconds: 0, finished: true });
  t.strictSame(answer({ duration: -1, text: 5 }), { finished: true });
  for (const body of ['[1]', 'null', '7', '"x"'])
    t.strictSame(read('application/json', body).summary(), { finished: true });
});

t.test('a stream keeps the last account that it was given, and the text of its closing event only', async (t) => {
  const events = (...data: object[]) => data.map((each) => `data: ${JSON.stringify(each)}\n\n`).join('');
  const body = events({ usage: { a: 1 } }, { type: 'other', text: 'no "transcript.text.done"' }, { usage: null });
  t.strictSame(read('text/event-stream', body).summary(), { usage: { a: 1 }, finished: false });
  const odd = events({ type: 'transcript.text.done', text: 5 }, { x: '"transcript.text.done"', text: 'no' });
  t.strictSame(read('text/event-stream', odd).summary(), { finished: true });
  t.strictSame(read('text/event-stream', 'data: "usage" no json\n\ndata: [DONE]\n\n').summary(), { finished: true });
});

import t from 'tap';
import { createAnswerReader, type AnswerKind } from '../../../actors/metering/answer-reader.ts';
import { LIMITS } from '../../../config/limits.ts';

function read(contentType: string, body: string, size = body.length, kind: AnswerKind = 'transcript') {
  const reader = createAnswerReader(kind, contentType);
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
  t.same(read('text/event-stream', body, 3, 'words').summary(), {
    usage: { total_tokens: 7 },
    passedTokens: 0,
    finished: true,
  });
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
      const reader = createAnswerReader('words', contentType);
      reader.push(Buffer.from(body));
      t.same(reader.summary().usage, usage, contentType);
    }
  },
);

t.test('the tokens of a streamed chat are counted as they pass', async (t) => {
  const reader = createAnswerReader('words', 'text/event-stream');
  const delta = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
  reader.push(Buffer.from(delta('Hello') + delta('!') + delta('many words at once in one event of 40 bytes')));
  t.equal(reader.summary().passedTokens, 2 + 1 + 11);
  reader.push(Buffer.from('data: {"choices": [{"delta": {"reasoning": "so it is", "content": "yes!"}}]}\n\n'));
  t.equal(reader.summary().passedTokens, 2 + 1 + 11 + 3, 'with blanks, and more than one text in an event');
});

t.test(
  'what a streamed chat says in other places counts as well, and its first event without a word as a beginning',
  async (t) => {
    const passed = (delta: object) =>
      read('text/event-stream', `data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`, 9, 'words').summary()
        .passedTokens;
    t.equal(passed({ tool_calls: [{ function: { name: 'answer_yes', arguments: '' } }] }), 3);
    t.equal(passed({ tool_calls: [{ custom: { input: 'twelve bytes' } }] }), 3);
    t.equal(passed({ audio: { transcript: 'twelve bytes' } }), 3);
    t.equal(passed({ content: [{ type: 'text', text: 'twelve bytes' }] }), 3);
    t.equal(passed({ role: 'assistant', content: '' }), 0);
    t.notOk('passedTokens' in read('text/event-stream', ': nothing yet\n\n', 9, 'words').summary());
  },
);

t.test(
  'a chat whose JSON cannot be read is counted by the bytes that passed; of a transcription none is',
  async (t) => {
    for (const [bytes, body] of [
      [20, '{"choices":[{"messag'],
      [4_200_020, `{"choices":["${'a'.repeat(4_200_000)}"],"u"`.slice(0, 4_200_020)],
    ] as const) {
      t.same(read('application/json', body, 100_000, 'words').summary(), { passedTokens: bytes / 4, finished: true });
      t.same(read('application/json', body, 100_000).summary(), { finished: true });
    }
  },
);

t.test('without a content type the first byte tells what it is, if anything', async (t) => {
  const summaryOf = (body: string, kind: AnswerKind = 'transcript', size = body.length) =>
    read('', body, size, kind).summary();
  t.match(summaryOf('  {"text":"a"}'), { text: 'a' });
  for (const size of [1, 4]) t.match(summaryOf('\n\n {"text":"a"}', 'transcript', size), { text: 'a' });
  t.strictSame(summaryOf(' words\n'), { text: 'words', finished: true });
  t.strictSame(summaryOf(' words\n', 'words'), { finished: true }, 'the words of a chat are no recognised text');
  for (const start of [': hello', 'event: x', 'id: 1', 'retry: 5', 'data: {}']) {
    for (const size of [1, 3, 99]) {
      t.strictSame(summaryOf(`\n${start}\n\n`, 'transcript', size), { finished: false }, start);
    }
    t.equal(read('', `${start}\n\n`).betweenEvents(), true, start);
  }
  for (const text of ['database: x', 'data', 'i']) {
    for (const size of [1, 3, 99]) t.strictSame(summaryOf(text, 'transcript', size), { text, finished: true });
  }
  t.strictSame(summaryOf(''), { finished: true });
  const empty = read('', '  ');
  t.strictSame([empty.summary(), empty.betweenEvents()], [{ finished: true }, false]);
});

t.test('the name of a medium is read in any case, without its parameters', async (t) => {
  t.match(read('Application/JSON ; charset=utf-8', '{"text":"a"}').summary(), { text: 'a' });
  t.match(read('TEXT/VTT', 'WEBVTT').summary(), { text: 'WEBVTT' });
  t.strictSame(read('text/plain', 'words', 5, 'words').summary(), { finished: true });
  t.strictSame(read('audio/mpeg', 'xx').betweenEvents(), false);
  t.strictSame(read('application/json', '{}').betweenEvents(), false);
});

t.test('an answer of the bound is read, and of one byte more nothing', async (t) => {
  const bound = 4 * 1024 * 1024;
  const body = (bytes: number) => `{"text":"${'a'.repeat(bytes - 11)}"}`;
  t.equal(read('application/json', body(bound), 65_536).summary().text?.length, bound - 11);
  t.strictSame(read('application/json', body(bound + 1), 65_536).summary(), { finished: true });
  t.strictSame(read('application/json', '', 1, 'words').summary(), { finished: true }, 'of nothing no token');
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

const sse = (...data: object[]) => data.map((each) => `data: ${JSON.stringify(each)}\n\n`).join('');

t.test(
  'a streamed response ends with an event that holds its account, and is counted by its deltas where it does not',
  async (t) => {
    const usage = { input_tokens: 36, output_tokens: 87, total_tokens: 123 };
    const words = 'eight by';
    const parts = [
      {
        type: 'response.created',
        response: { status: 'in_progress', usage: null, text: { format: { type: 'text' } } },
      },
      { type: 'response.output_text.delta', delta: words },
      { type: 'response.function_call_arguments.delta', delta: '{}' },
      { type: 'response.output_text.done', text: words },
      { type: 'response.function_call_arguments.done', arguments: '{}' },
      { type: 'response.output_item.done', item: { arguments: '{}', content: [{ text: words }] } },
    ];
    const counted = { passedTokens: 2 + 1 };
    t.strictSame(read('text/event-stream', sse(...parts), 7, 'words').summary(), { ...counted, finished: false });
    for (const type of ['response.completed', 'response.incomplete', 'response.failed']) {
      const summary = read('text/event-stream', sse(...parts, { type, response: { usage } }), 50, 'words').summary();
      t.strictSame(summary, { usage, ...counted, finished: type !== 'response.failed' }, type);
    }
    const named = parts
      .map((part) => `event: ${part.type}\ndata: ${JSON.stringify({ ...part, type: 'x' })}\n\n`)
      .join('');
    t.equal(read('text/event-stream', named, 9, 'words').summary().passedTokens, 3, 'also by the names of its events');
  },
);

t.test('of images, vectors and speech nothing is counted but what the provider says', async (t) => {
  const usage = { input_tokens: 5, output_tokens: 1056 };
  for (const kind of ['images', 'other'] as const) {
    for (const [media, body] of [
      ['application/json', '{"data":[{"embedding":[0.1],"content":"x"}]}'],
      ['application/json', '{"data'],
      ['audio/mpeg', 'xx'],
      ['', 'xx'],
      ['', ''],
    ] as const) {
      t.strictSame(read(media, body, 3, kind).summary(), { passedTokens: 0, finished: true }, `${media} ${body}`);
    }
    const json = JSON.stringify({ data: [], usage });
    t.strictSame(read('application/json', json, 9, kind).summary(), { passedTokens: 0, usage, finished: true });
  }
  for (const type of ['image_generation.completed', 'image_edit.completed', 'speech.audio.done']) {
    const body = sse({ type: 'image_generation.partial_image', b64_json: 'x', content: 'x' }, { type, usage });
    t.strictSame(read('text/event-stream', body, 9, 'images').summary(), { usage, passedTokens: 0, finished: true });
  }
});

t.test('the account of what is too long to be read is found at its end', async (t) => {
  const usage = { input_tokens: 5, output_tokens: 6_208, input_tokens_details: { text_tokens: 5 } };
  const long = 'A'.repeat(4_300_000);
  for (const size of [1_000_000, 9_000, 4_299_990]) {
    const json = `{"data":[{"b64_json":"${long}"}],"usage": ${JSON.stringify(usage)} }`;
    t.strictSame(read('application/json', json, size, 'images').summary(), { passedTokens: 0, usage, finished: true });
    const event = `event: image_generation.completed\ndata: ${json}\n\n`;
    t.strictSame(read('text/event-stream', event, size, 'images').summary(), {
      usage,
      passedTokens: 0,
      finished: true,
    });
  }
  for (const end of ['"usage":null}', '"usage":{"a":1', '"usage" {"a":1}}', '"used":{"a":1}}', '"usage":{"a":x}}']) {
    const json = `{"b64_json":"${long}",${end}`;
    t.strictSame(read('application/json', json, 99_000, 'images').summary(), { passedTokens: 0, finished: true }, end);
  }
  const unfinished = `event: image_generation.partial_image\ndata: ${long}\n\n`;
  t.strictSame(read('text/event-stream', unfinished, 99_000, 'images').summary(), { passedTokens: 0, finished: false });
});

t.test('an answer in tiny pieces is read like one in large ones, at the cost of its bytes', async (t) => {
  const usage = { prompt_tokens: 3, completion_tokens: 4 };
  for (const [bytes, isRead] of [
    [200_000, true],
    [LIMITS.relay.answerTailBytes + 200_000, false],
  ] as const) {
    const body = Buffer.from(JSON.stringify({ text: 'x'.repeat(bytes), usage }));
    const reader = createAnswerReader('transcript', 'application/json');
    const before = process.cpuUsage();
    reader.push(body.subarray(0, -200_000));
    for (let at = body.length - 200_000; at < body.length; at += 1) reader.push(body.subarray(at, at + 1));
    const cost = process.cpuUsage(before).user / 1000;
    t.ok(cost < 400, `200 kB in bytes took ${cost} ms`);
    const summary = reader.summary();
    t.same(summary.usage, usage);
    t.equal(summary.text?.length, isRead ? bytes : undefined);
  }
});

import t from 'tap';
import { JsonMeter, createMultipartMeter, type UploadMeter } from '../../../actors/metering/upload-meter.ts';
import { wavFile } from '../../fixtures/audio-bytes.ts';

function pushed(meter: UploadMeter, bytes: Uint8Array): void {
  const contradiction = meter.take([bytes], false);
  if (contradiction !== undefined) throw contradiction;
}

/** 16-bit mono at 8 kHz. */
const recording = (seconds: number) =>
  wavFile({ sampleRate: 8_000, channels: 1, bitsPerSample: 16 }, new Uint8Array(seconds * 16_000));

const field = (name: string, value: string) =>
  Buffer.from(`--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);

const file = (bytes: Uint8Array) =>
  Buffer.concat([
    Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'),
    bytes,
    Buffer.from('\r\n'),
  ]);

const closing = Buffer.from('--b--\r\n');

t.test('model and audio length are read in any order of fields and any size of pieces', async (t) => {
  const audio = recording(2);
  for (const body of [
    Buffer.concat([field('model', 'moonshine'), file(audio), closing]),
    Buffer.concat([file(audio), field('model', 'moonshine'), closing]),
  ]) {
    for (const size of [1, 7, 1_000, body.length]) {
      const meter = createMultipartMeter('b');
      for (let from = 0; from < body.length; from += size) pushed(meter, body.subarray(from, from + size));
      t.equal(meter.model(), 'moonshine');
      t.same(meter.facts().audio, { audioSeconds: 2, source: 'header' });
    }
  }
});

t.test('a form without a file has no audio length, one whose file nobody here can read an estimate', async (t) => {
  const meter = createMultipartMeter('b');
  pushed(meter, Buffer.concat([file(Buffer.from('not audio at all')), closing]));
  t.same(meter.facts().audio, { audioSeconds: 0.001, source: 'estimate' });
  t.same(createMultipartMeter('b').facts().audio, { audioSeconds: 0, source: 'none' });
});

t.test('a form that gives a field twice, or another model than the request names beside it, is refused', async (t) => {
  const refused = (named: string | undefined, ...parts: Buffer[]) =>
    t.throws(() => pushed(createMultipartMeter('b', named), Buffer.concat([...parts, closing])), {
      code: 'BAD_REQUEST',
    });
  refused(undefined, file(recording(1)), file(recording(9)));
  refused(undefined, field('model', 'cheap'), field('model', 'expensive'));
  refused('cheap', field('model', 'expensive'));
  refused(undefined, field('Model', 'expensive'));
  refused(undefined, field('model', 'one'), field('url', 'https://elsewhere/an-hour.wav'));
  refused(undefined, field('model', 'm'.repeat(257)));
  const lists = Buffer.concat([
    field('timestamp_granularities[]', 'word'),
    field('timestamp_granularities[]', 'segment'),
  ]);
  t.doesNotThrow(() => pushed(createMultipartMeter('b', 'm'), Buffer.concat([field('model', 'm'), lists, closing])));
});

t.test(
  'a JSON body that gives a member twice, another model than beside it, or more than an object, is refused',
  async (t) => {
    const bodies: [string, string?][] = [
      ['{"model":"cheap","messages":[],"model":"expensive"}'],
      ['{"model":"cheap","m\\u006fdel":"expensive"}'],
      ['{"model":"m","stream":true,"stream":false}'],
      ['{"MODEL":"expensive"}'],
      ['{"model":"cheap"} {"model":"expensive"}'],
      ['{"model":"expensive"}', 'cheap'],
      [`{"messages":["${'x'.repeat(70_000)}"],"model":"expensive"}`, 'cheap'],
      [Buffer.from('{"model":"exp"}', 'utf16le').toString('latin1')],
    ];
    for (const [body, named] of bodies) {
      for (const size of [1, 7, body.length]) {
        const meter = new JsonMeter(named);
        const push = () => {
          for (let from = 0; from < body.length; from += size)
            pushed(meter, Buffer.from(body.slice(from, from + size)));
        };
        t.throws(push, { code: 'BAD_REQUEST' }, body.slice(0, 60));
      }
    }
  },
);

t.test('the model of a JSON body is the top-level one, escaped or not, however it is cut', async (t) => {
  const cases: [string, string | undefined][] = [
    ['{"model":"gpt-4o","messages":[]}', 'gpt-4o'],
    ['{"messages":[{"model":"inner","content":"\\"model\\":\\"no\\""}], "model" : "out\\u0065r"}', 'outer'],
    ['{"metadata":{"model":"inner"},"x":["model","no"]}', undefined],
    ['{"a":"model","b":"no"}', undefined],
    ['{"model":5}', undefined],
    [`{"messages":["${'x'.repeat(70_000)}"],"model":"last"}`, 'last'],
    ['["model"]', undefined],
  ];
  for (const [body, expected] of cases) {
    for (const size of [1, 3, body.length]) {
      const meter = new JsonMeter();
      for (let from = 0; from < body.length; from += size) pushed(meter, Buffer.from(body.slice(from, from + size)));
      t.equal(meter.model(), expected, body);
    }
  }
});

t.test(
  'how many answers are asked for is one, the number that is given, or the most where it is an odd one',
  async (t) => {
    const json = (text: string) => {
      const meter = new JsonMeter();
      pushed(meter, Buffer.from(text));
      return meter.facts().answers;
    };
    const form = (...parts: Buffer[]) => {
      const meter = createMultipartMeter('b');
      for (const byte of Buffer.concat([...parts, closing])) pushed(meter, Buffer.from([byte]));
      return meter.facts().answers;
    };
    for (const text of ['{}', '{"n":null}', '{"n":1}', '{"x":{"n":4}}']) t.equal(json(text), 1, text);
    t.equal(json('{ "n" : 4 , "x":1}'), 4);
    t.equal(json('{"n":99}'), 99);
    for (const odd of ['0', '-1', '1e1', '2.0', '1.0000e1', '"4"', '[4]', '{}', 'true', '100']) {
      t.equal(json(`{"n":${odd}}`), 10, odd);
    }
    t.equal(form(field('prompt', 'x')), 1);
    t.equal(form(field('n', ' 4 ')), 4);
    for (const odd of ['', 'x', '1e1', '0', '4'.repeat(1_000)]) t.equal(form(field('n', odd)), 10, odd);
  },
);

t.test("the words of a form are those of its prompt, and no file's", async (t) => {
  const meter = createMultipartMeter('b');
  const image = Buffer.from('--b\r\nContent-Disposition: form-data; name="image[]"; filename="a.png"\r\n\r\npng\r\n');
  pushed(meter, Buffer.concat([field('prompt', 'a red fox'), image, image, field('size', '1024x1024'), closing]));
  t.equal(meter.facts().textBytes, 9);
});

t.test('what looks like a file is words where no file is taken', async (t) => {
  const body = Buffer.from(`{"input":"${'.'.repeat(3_000)}"}`);
  for (const [mayHoldFiles, textBytes] of [
    [true, 12],
    [false, 3_012],
  ] as const) {
    const meter = new JsonMeter(undefined, undefined, mayHoldFiles);
    pushed(meter, body);
    t.equal(meter.facts().textBytes, textBytes);
  }
});

t.test('what may not be asked for is refused wherever it stands, and nothing else is', async (t) => {
  const refused = (text: string) => {
    const meter = new JsonMeter(undefined, 'background');
    return Array.from(Buffer.from(text), (byte) => meter.take([Buffer.from([byte])])?.code).find(Boolean);
  };
  t.equal(refused('{"a":1,"background": true ,"b":2}'), 'BAD_REQUEST');
  t.equal(refused('{"a":1,"background":true}'), 'BAD_REQUEST');
  for (const taken of ['1', '"true"', '[]', '{}']) t.equal(refused(`{"background":${taken}}`), 'BAD_REQUEST', taken);
  const many = Array.from({ length: 1_000 }, (_, n) => `"k${n}":1`).join(',');
  t.equal(refused(`{${many},"background":true}`), 'BAD_REQUEST', 'behind more members than are looked at');
  for (const text of ['{"background":false}', '{"x":{"background":true}}', '{"background":null}']) {
    t.equal(refused(text), undefined, text);
  }
  t.equal(new JsonMeter().take([Buffer.from('{"background":true}')]), undefined, 'where it may be');
});

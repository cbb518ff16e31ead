import t from 'tap';
import { createJsonMeter, createMultipartMeter } from '../../../actors/relay/upload-meter.ts';
import { flacHeader, wavFile } from '../../fixtures/audio-bytes.ts';

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
      for (let from = 0; from < body.length; from += size) meter.push(body.subarray(from, from + size));
      t.equal(meter.model(), 'moonshine');
      t.same(meter.audio(), { audioSeconds: 2, source: 'header' });
    }
  }
});

t.test('a FLAC header is a claim, and one that no recording reaches is no length', async (t) => {
  const lengthOf = (samples: number, rate: number) => {
    const meter = createMultipartMeter('b');
    meter.push(Buffer.concat([file(Buffer.concat([flacHeader(rate, 1, samples), Buffer.alloc(5000)])), closing]));
    return meter.audio();
  };
  t.same(lengthOf(32_000, 16_000), { audioSeconds: 2, source: 'header', isClaim: true });
  t.match(lengthOf(2 ** 36 - 1, 1), { source: 'estimate' }, 'its event could not be billed');
});

t.test('a form without a file, or whose file is no FLAC or WAV, has no audio length', async (t) => {
  const meter = createMultipartMeter('b');
  meter.push(Buffer.concat([file(Buffer.from('not audio at all')), closing]));
  t.same(meter.audio(), { audioSeconds: 0, source: 'none' });
  t.same(createMultipartMeter('b').audio(), { audioSeconds: 0, source: 'none' });
});

t.test('of two files the first is measured', async (t) => {
  const meter = createMultipartMeter('b');
  meter.push(Buffer.concat([file(recording(1)), file(recording(9)), closing]));
  t.same(meter.audio(), { audioSeconds: 1, source: 'header' });
});

t.test('the model of a JSON body is the top-level one, escaped or not, however it is cut', async (t) => {
  const cases: [string, string | undefined][] = [
    ['{"model":"gpt-4o","messages":[]}', 'gpt-4o'],
    ['{"messages":[{"model":"inner","content":"\\"model\\":\\"no\\""}], "model" : "out\\u0065r"}', 'outer'],
    ['{"metadata":{"model":"inner"},"x":["model","no"]}', undefined],
    ['{"a":"model","b":"no"}', undefined],
    ['{"model":5}', undefined],
    ['["model"]', undefined],
  ];
  for (const [body, expected] of cases) {
    for (const size of [1, 3, body.length]) {
      const meter = createJsonMeter();
      for (let from = 0; from < body.length; from += size) meter.push(Buffer.from(body.slice(from, from + size)));
      t.equal(meter.model(), expected, body);
    }
  }
});

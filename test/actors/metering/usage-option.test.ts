import t from 'tap';
import { JsonBodyScanner } from '../../../actors/metering/json-body-scanner.ts';
import { askForUsage, fillReserve, OPTION_BYTES } from '../../../actors/metering/usage-option.ts';

function scan(body: string, size = body.length) {
  const scanner = new JsonBodyScanner({
    onKey: () => undefined,
    onTooManyKeys: () => undefined,
    onNul: () => undefined,
    onRest: () => undefined,
  });
  const bytes = Buffer.from(body);
  for (let from = 0; from < bytes.length; from += size) scanner.push(bytes.subarray(from, from + size));
  return scanner;
}

function asked(body: string, size?: number): string | undefined {
  const bytes = Buffer.from(body);
  const change = askForUsage(bytes, scan(body, size));
  if (change === undefined) return undefined;
  return Buffer.concat([bytes.subarray(0, change.start), change.bytes, bytes.subarray(change.end)]).toString();
}

const option = '"stream_options":{"include_usage":true}';

t.test('a streamed chat is asked about, and nothing else in its body changes, however it was cut', async (t) => {
  const cases: [string, string][] = [
    ['{"model":"m","stream":true}', `{"model":"m","stream":true,${option}}`],
    [' { "stream" : true , "x" : [1, {"y": "}"}] } \n', ` { "stream" : true , "x" : [1, {"y": "}"}] ,${option}} \n`],
    ['{"stream":true,"seed":12345678901234567890}', `{"stream":true,"seed":12345678901234567890,${option}}`],
    ['{"str\\u0065am":true,"n":"grüß"}', `{"str\\u0065am":true,"n":"grüß",${option}}`],
    ['{"stream_options":null,"stream":true}', `{${option},"stream":true}`],
    ['{"stream_options": {"include_usage": false} ,"stream":true}', `{${option},"stream":true}`],
    ['{"stream":true,"stream_options":{}}', `{"stream":true,${option}}`],
    [
      '{"stream":true,"stream_options":{"include_obfuscation":false}}',
      '{"stream":true,"stream_options":{"include_obfuscation":false,"include_usage":true}}',
    ],
    ['{"stream":true,"stream_options":{"include_usage":true,"include_usage":false}}', `{"stream":true,${option}}`],
  ];
  for (const [body, expected] of cases) {
    for (const size of [1, 3, body.length]) t.equal(asked(body, size), expected, body);
  }
});

t.test('nothing is asked where nothing is streamed, the client asks itself, or the provider will refuse', async (t) => {
  for (const body of [
    '{"model":"m"}',
    '{"stream":false}',
    '{"stream":"true"}',
    '{"stream":trueish}',
    '{"x":{"stream":true}}',
    '["stream",true]',
    '{"stream":true,"stream_options":{"include_usage":true}}',
    '{"stream":true,"stream_options":"all"}',
    '{"stream":true,"stream_options":[]}',
    '{"stream":true,"stream_options":{"include_usage"}}',
    '{"stream":true',
    'no json',
  ]) {
    t.equal(asked(body), undefined, body);
  }
});

t.test('a body that is sent on while it arrives grows by the same length, asked about or not', async (t) => {
  const cases: [string, boolean, number][] = [
    ['{"stream":true,"x":"y"} ', true, 22],
    ['{"stream":false}', false, 15],
    ['{"stream":true,"stream_options":{"include_usage":true}}', false, 54],
    ['{"stream":true', false, 14],
  ];
  for (const [body, asks, at] of cases) {
    const filled = fillReserve(scan(body, 2), body.length);
    t.match(filled, { asks, start: at, end: at });
    t.equal(filled.bytes.length, OPTION_BYTES);
    t.equal(filled.bytes.toString().trim(), asks ? `,${option}` : '');
  }
});

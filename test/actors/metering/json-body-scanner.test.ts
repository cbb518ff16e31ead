import t from 'tap';
import { JsonBodyScanner } from '../../../actors/metering/json-body-scanner.ts';

function scan(body: string, size = body.length) {
  const keys: string[] = [];
  let [nuls, tooMany, rest] = [0, 0, 0];
  const scanner = new JsonBodyScanner({
    onKey: (key, isRepeated) => keys.push(isRepeated ? `${key} again` : key),
    onTooManyKeys: () => (tooMany += 1),
    onNul: () => (nuls += 1),
    onRest: () => (rest += 1),
  });
  const bytes = Buffer.from(body);
  for (let from = 0; from < bytes.length; from += size) scanner.push(bytes.subarray(from, from + size));
  return { scanner, keys, nuls, tooMany, rest };
}
const sizes = [1, 3, 64, 10_000];

t.test('a member stands where its value stands, and a word is kept as it is written', async (t) => {
  const body = '{"a": true ,"stream":false,"n":12.5,"o":{"a":1,"b":[2]},"s":"text","long":1234567}';
  for (const size of sizes) {
    const { scanner, keys } = scan(body, size);
    t.strictSame(keys, ['a', 'stream', 'n', 'o', 's', 'long']);
    const valueOf = (key: string) => {
      const found = scanner.member(key);
      return found === undefined ? undefined : [body.slice(found.start, found.end), found.literal];
    };
    t.strictSame(valueOf('a'), [' true ', 'true']);
    t.strictSame(valueOf('stream'), ['false', 'false']);
    t.strictSame(valueOf('n'), ['12.5', '12.5']);
    t.strictSame(valueOf('o'), ['{"a":1,"b":[2]}', '']);
    t.strictSame(valueOf('s'), ['"text"', '']);
    t.strictSame(valueOf('long'), ['1234567', '12345'], 'only its beginning');
    t.equal(valueOf('missing'), undefined);
    t.equal(scanner.closedAt(), body.length - 1);
  }
});

t.test('a member is known once its end was seen, and the object once it was closed', async (t) => {
  for (const size of sizes) {
    const { scanner: open } = scan('{"a":1,"b":2', size);
    t.match(open.member('a'), { literal: '1' });
    t.equal(open.member('b'), undefined);
    t.equal(open.closedAt(), undefined);
    t.equal(scan('[{"a":1}]', size).scanner.closedAt(), undefined, 'an object in a list is not the body');
    t.equal(scan('{"a":[1]} {"b":2}', size).scanner.closedAt(), 8, 'what follows is another');
  }
});

t.test('what follows the object is told, blanks aside', async (t) => {
  for (const size of sizes) {
    t.equal(scan('{"a":1} \r\n\t', size).rest, 0);
    t.equal(
      scan('{"a":1}\r\n0\r\n\r\n', size).rest,
      1,
      'the end of a chunked body, where its chunk was taken for longer',
    );
    t.not(scan('{"a":1}{"b":2}', size).rest, 0);
    t.equal(scan('[{"a":1},2]', size).rest, 0);
  }
});

t.test('keys that are given twice are told, whatever they are called and however they are escaped', async (t) => {
  for (const size of sizes) {
    t.strictSame(scan('{"a":1,"\\u0061":2,"b":{"a":3},"b":4}', size).keys, ['a', 'a again', 'b', 'b again']);
    t.strictSame(scan('{"a":"b","c":["d","e"],"f":"g:h"}', size).keys, ['a', 'c', 'f']);
    t.strictSame(scan('{"bad\\x":1,"\\"quoted\\"":2}', size).keys, ['bad\\x', '"quoted"']);
  }
});

t.test('a thousand keys are remembered, and each that comes later is one too many', async (t) => {
  const many = Array.from({ length: 1000 }, (_, n) => `"k${n}":${n}`).join(',');
  t.equal(scan(`{${many}}`).tooMany, 0);
  t.equal(scan(`{${many},"late":1,"late":2}`).tooMany, 2);
});

t.test('a name of 511 bytes is read, and a longer one is none', async (t) => {
  for (const size of sizes) {
    const model = (length: number) => scan(`{"model":"${'m'.repeat(length)}"}`, size).scanner.model();
    t.equal(model(511)?.length, 511);
    t.equal(model(512), undefined);
    t.equal(model(5000), undefined);
  }
  t.equal(scan('{"model":"first","model":"second"}').scanner.model(), 'first');
  t.equal(scan('{"x":{"model":"inner"},"model":["no"]}').scanner.model(), undefined);
});

t.test('a byte that no JSON has is told; within a string it is not looked for', async (t) => {
  for (const size of sizes) {
    t.equal(scan('{"a":\0\0 1}', size).nuls, 2);
    t.equal(scan('{"a":1}', size).nuls, 0);
  }
});

t.test('words are counted and files are not', async (t) => {
  const base64 = 'QUJD'.repeat(513);
  const rest = '{"messages":[{"content":""}]}'.length;
  const countedOf = (content: string, size: number) =>
    scan(`{"messages":[{"content":"${content}"}]}`, size).scanner.textBytes(true) - rest;
  for (const size of sizes) {
    t.equal(countedOf('words and words', size), 15);
    t.equal(countedOf(base64, size), 0);
    t.equal(countedOf(`data:image/png;base64,${base64}`, size), 0);
    t.equal(countedOf(base64.slice(0, 2048), size), 2048, 'too short to be a file');
    t.equal(countedOf(base64.slice(0, 2049), size), 0);
    t.equal(countedOf(`two ${base64}`, size), 4 + base64.length, 'a text with a blank near its start is prose');
    t.equal(countedOf(`${'x'.repeat(63)} ${base64}`, size), 64 + base64.length);
    const dashes = '-'.repeat(64);
    t.equal(
      countedOf(`${dashes} ${base64}`, size),
      65 + base64.length,
      'nor does a beginning without blanks make it a file',
    );
    t.equal(countedOf(`${dashes}${base64} `, size), 65 + base64.length);
    t.equal(countedOf('a\\"b\\\\', size), 6, 'escapes are bytes of their words');
    const both = scan(`{"a":"${base64}","b":"${'w'.repeat(10)} ${'w'.repeat(3000)}"}`, size).scanner.textBytes(true);
    t.equal(both, '{"a":"","b":""}'.length + 3011, 'each string by itself');
    t.equal(
      scan(`["${base64}"]`, size).scanner.textBytes(false),
      base64.length + 4,
      'where none is expected, all are words',
    );
  }
});

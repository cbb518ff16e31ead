import fc from 'fast-check';
import t from 'tap';
import { createMultipartScanner, multipartBoundary } from '../../../actors/metering/multipart-scanner.ts';

function scan(body: Buffer, boundary: string, cuts: readonly number[] = []) {
  const parts: { name: string; body: string; complete: boolean }[] = [];
  const scanner = createMultipartScanner(boundary, {
    begin: (name) => parts.push({ name, body: '', complete: false }),
    data: (bytes) => (parts.at(-1)!.body += Buffer.from(bytes).toString('latin1')),
    end: () => (parts.at(-1)!.complete = true),
  });
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const at = cut % (body.length + 1);
    if (at > from) scanner.push(body.subarray(from, at));
    from = Math.max(from, at);
  }
  scanner.push(body.subarray(from));
  return parts;
}

const part = (name: string, body: string, more = '') =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${body}\r\n`;

t.test('parts come out whole however the body is cut', async (t) => {
  // Bodies full of half boundaries: the cases where a scanner goes wrong.
  const text = fc
    .array(fc.constantFrom('\r', '\n', '\r\n', '-', '--', '\r\n-', '\r\n--', 'b', 'x', '\r\n--a'), { maxLength: 12 })
    .map((pieces) => pieces.join(''))
    .filter((body) => !body.includes('\n--b') && !body.startsWith('--b'));
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), fc.array(fc.nat(), { maxLength: 12 }), (bodies, cuts) => {
      const whole = bodies.map((body, index) => part(`f${index}`, body)).join('') + '--b--\r\n';
      t.same(
        scan(Buffer.from(whole, 'latin1'), 'b', cuts),
        bodies.map((body, index) => ({ name: `f${index}`, body, complete: true })),
      );
    }),
    { numRuns: 300 },
  );
});

t.test('a file cut short is a part that never ends', async (t) => {
  const parts = scan(
    Buffer.from(`${part('model', 'm')}--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n${'abc'.repeat(100)}`),
    'b',
  );
  t.same(parts, [
    { name: 'model', body: 'm', complete: true },
    { name: 'file', body: 'abc'.repeat(98) + 'ab', complete: false },
  ]);
});

t.test('names are found quoted, bare, beside a filename and among other headers', async (t) => {
  const body =
    '--b\r\nContent-Type: audio/flac\r\ncontent-disposition: form-data; filename="name=x.flac"; name=file\r\n\r\n1\r\n' +
    '--b\r\n\r\nno headers\r\n--b--';
  t.match(scan(Buffer.from(body), 'b'), [
    { name: 'file', body: '1' },
    { name: '', body: 'no headers' },
  ]);
});

t.test('a form that two readers could cut differently is refused, however it is cut', async (t) => {
  const file = part('file', 'RIFF');
  const ambiguous = {
    'text before the first boundary': `hello\r\n${file}--b--`,
    'text after the last boundary': `${file}--b--\r\n--b\r\n`,
    'another boundary': file.replaceAll('--b', '--c'),
    'line feeds alone': `${file}--b--`.replaceAll('\r\n', '\n'),
    'a boundary behind a bare line feed': `${part('file', 'RI\n--b\r\nFF')}--b--`,
    'a line that begins like the boundary': `${part('file', 'RI\r\n--bjunk\r\nFF')}--b--`,
    'a blank behind the boundary': `${file}--b--`.replace('--b\r\n', '--b \r\n'),
    'a boundary without a line of its own': `--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n--b--\r\n`,
    'a folded header': `${file}--b--`.replace('; name', ';\r\n name'),
    'a blank before the colon': `${file}--b--`.replace('Disposition:', 'Disposition :'),
    'an encoded part': `${file}--b--`.replace('\r\n\r\n', '\r\nContent-Transfer-Encoding: base64\r\n\r\n'),
    'two names': `${file}--b--`.replace('name="file"', 'name="file"; name="model"'),
    'an extended name': `${file}--b--`.replace('name="file"', "name*=utf-8''file"),
    'two dispositions': `${file}--b--`.replace('\r\n\r\n', '\r\nContent-Disposition: form-data; name="x"\r\n\r\n'),
    'a header without end': `--b\r\n${'h'.repeat(64 * 1024)}`,
  };
  for (const [what, body] of Object.entries(ambiguous)) {
    for (const cuts of [[], Array.from(body, (_, index) => index)]) {
      t.throws(() => scan(Buffer.from(body), 'b', body.length > 9_999 ? [] : cuts), { code: 'BAD_REQUEST' }, what);
    }
  }
});

t.test('a head of nothing but blanks takes no longer to refuse than its length', async (t) => {
  for (const start of ['form-data', 'form-data; name=a', 'form-data;']) {
    const body = Buffer.from(`--b\r\nContent-Disposition: ${start}${' '.repeat(8_000)}x\r\n\r\n`);
    const micros = Array.from({ length: 3 }, () => {
      const before = process.cpuUsage();
      t.throws(() => scan(body, 'b'), { code: 'BAD_REQUEST' });
      return process.cpuUsage(before).user;
    });
    t.ok(Math.min(...micros) < 20_000, `${start}: ${micros.join()} µs`);
  }
});

t.test('a form without its last boundary is refused at its end', async (t) => {
  const scanner = createMultipartScanner('b', { begin: () => undefined, data: () => undefined, end: () => undefined });
  scanner.push(Buffer.from(part('model', 'm')));
  t.throws(() => scanner.end(), { code: 'BAD_REQUEST' });
  scanner.push(Buffer.from('--b--'));
  t.doesNotThrow(() => scanner.end());
});

t.test('a file name may hold anything', async (t) => {
  for (const name of ['a\\"b; name=\\"model\\" é漢.wav', "a;b=c';name=x.wav", 'Диктовка «№1» 🎤.wav', '']) {
    t.match(scan(Buffer.from(`${part('file', '1', `; filename="${name}"`)}--b--`), 'b'), [{ name: 'file', body: '1' }]);
  }
});

t.test('the boundary is read from the content type', async (t) => {
  t.equal(multipartBoundary('multipart/form-data; boundary=abc'), 'abc');
  t.equal(multipartBoundary('Multipart/Form-Data; charset=utf-8; Boundary="a b;c"'), 'a b;c');
  t.equal(multipartBoundary('multipart/form-data'), undefined);
  t.equal(multipartBoundary('application/json; boundary=abc'), undefined);
  t.equal(multipartBoundary('multipart/form-data; x="; boundary=decoy"; boundary=abc'), 'abc');
  for (const contentType of [
    'boundary=a; boundary=b',
    'boundary="a\\"b"',
    "boundary*=utf-8''a",
    `boundary=${'b'.repeat(71)}`,
  ]) {
    t.throws(() => multipartBoundary(`multipart/form-data; ${contentType}`), { code: 'BAD_REQUEST' }, contentType);
  }
});

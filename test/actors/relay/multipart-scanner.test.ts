import fc from 'fast-check';
import t from 'tap';
import { createMultipartScanner, multipartBoundary } from '../../../actors/relay/multipart-scanner.ts';

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
    .filter((body) => !`${body}\r\n`.includes('\r\n--b'));
  fc.assert(
    fc.property(fc.array(text, { maxLength: 4 }), fc.array(fc.nat(), { maxLength: 12 }), (bodies, cuts) => {
      const whole = bodies.map((body, index) => part(`f${index}`, body)).join('') + '--b--\r\nepilogue';
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
    Buffer.from(`${part('model', 'm')}--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc`),
    'b',
  );
  t.same(parts, [
    { name: 'model', body: 'm', complete: true },
    { name: 'file', body: 'abc', complete: false },
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

t.test('a preamble is passed over, and a body with another boundary has no parts', async (t) => {
  t.match(scan(Buffer.from(`hello\r\n${part('a', '1')}--b--`), 'b'), [{ name: 'a', body: '1' }]);
  t.same(scan(Buffer.from(part('a', '1')), 'other'), []);
});

t.test('a part header without end is given up on instead of being collected', async (t) => {
  const scanner = createMultipartScanner('b', {
    begin: () => t.fail('there is no part'),
    data: () => t.fail('there is no data'),
    end: () => t.fail('there is no end'),
  });
  scanner.push(Buffer.from('--b\r\n'));
  for (let kilobytes = 0; kilobytes < 64; kilobytes += 1) scanner.push(Buffer.alloc(1024, 'h'));
  t.pass('it went on');
});

t.test('the boundary is read from the content type', async (t) => {
  t.equal(multipartBoundary('multipart/form-data; boundary=abc'), 'abc');
  t.equal(multipartBoundary('Multipart/Form-Data; charset=utf-8; Boundary="a b;c"'), 'a b;c');
  t.equal(multipartBoundary('multipart/form-data'), undefined);
  t.equal(multipartBoundary('application/json; boundary=abc'), undefined);
});

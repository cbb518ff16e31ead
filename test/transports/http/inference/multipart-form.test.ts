import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { VelloError } from '../../../../config/errors.ts';
import { parseMultipart } from '../../../../transports/http/inference/multipart-form.ts';

const type = 'multipart/form-data; boundary=xYz';
const lines = (...parts: readonly string[]): Buffer => Buffer.from(parts.join('\r\n'));

t.test('reads what any standard client writes, byte for byte', async () => {
  const name = fc.stringMatching(/^[\w[\] -]{1,20}$/);
  const fields = fc.array(
    fc.tuple(name, fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 300 }))),
    { maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(fields, async (entries) => {
      const form = new FormData();
      for (const [field, value] of entries) {
        if (typeof value === 'string') form.append(field, value);
        else form.append(field, new Blob([value]), 'a "quoted" name.wav');
      }
      const request = new Response(form);
      const body = Buffer.from(await request.arrayBuffer());
      const parts = parseMultipart(body, request.headers.get('content-type')!);
      assert.deepEqual(
        parts.map((part) => part.name),
        entries.map(([field]) => field),
      );
      for (const [index, [, value]] of entries.entries()) {
        // Forms turn lone line ends into CRLF.
        const written = typeof value === 'string' ? value.replace(/\r\n|\r|\n/g, '\r\n') : value;
        const part = parts[index]!;
        assert.deepEqual(part.content, Buffer.from(written as string));
        assert.equal(part.filename, typeof value === 'string' ? undefined : 'a "quoted" name.wav');
      }
    }),
    { numRuns: 100 },
  );
});

t.test('reads what hand-written clients send: a preamble, padding, a quoted boundary, other headers', async (t) => {
  const body = lines(
    'a preamble with --xYz in it',
    '--xYz  ',
    'Content-Type: text/plain',
    'content-disposition: form-data; filename=a.wav; name=file',
    '',
    'line\r\n--xY\r\nanother --xYz one',
    '--xYz--',
    'an epilogue',
  );
  const [part, ...others] = parseMultipart(body, 'Multipart/Form-Data; charset=utf-8; boundary="xYz"');
  t.same(others, []);
  t.match(part, { name: 'file', filename: 'a.wav' });
  t.equal(part?.content.toString(), 'line\r\n--xY\r\nanother --xYz one');
});

t.test('refuses what is no complete form', async (t) => {
  const whole = lines('--xYz', 'Content-Disposition: form-data; name="a"', '', 'b', '--xYz--');
  t.equal(parseMultipart(whole, type).length, 1);
  for (let length = 0; length < whole.length; length++) {
    t.throws(() => parseMultipart(whole.subarray(0, length), type), { code: 'BAD_REQUEST' });
  }
  t.throws(() => parseMultipart(whole, 'application/json'), { code: 'UNSUPPORTED_MEDIA_TYPE' });
  t.throws(() => parseMultipart(whole, 'multipart/form-data; charset=utf-8'), { code: 'BAD_REQUEST' });
});

t.test('never fails in another way, whatever the bytes', async () => {
  const pieces = fc.constantFrom(
    '--xYz',
    '\r\n',
    '--',
    'Content-Disposition: form-data; name="a"',
    'b',
    '\0',
    ': ',
    '"',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (written) => {
      try {
        parseMultipart(Buffer.from(written.join('')), type);
      } catch (error) {
        assert.ok(error instanceof VelloError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

import fc from 'fast-check';
import t from 'tap';
import { parseEventStream, type StreamedEvent } from '../../../transports/client/event-stream-parser.ts';

async function* inPieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  for (const [index, start] of places.entries()) yield bytes.subarray(start, places[index + 1] ?? bytes.length);
}

async function parse(bytes: Uint8Array, cuts: readonly number[] = []): Promise<StreamedEvent[]> {
  const events: StreamedEvent[] = [];
  for await (const event of parseEventStream(inPieces(bytes, cuts))) events.push(event);
  return events;
}

t.test('events come out whole wherever the bytes were cut, inside characters and line ends too', async () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, '').trimStart());
  const events = fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { maxLength: 5 });
  const ends = fc.constantFrom('\n', '\r\n');
  await fc.assert(
    fc.asyncProperty(events, ends, fc.array(fc.nat()), async (sent, end, cuts) => {
      const text = sent.map((lines) => lines.map((data) => `data: ${data}${end}`).join('') + end).join('');
      const received = await parse(Buffer.from(text), cuts);
      t.strictSame(
        received.map(({ data }) => data),
        sent.map((lines) => lines.join('\n')),
      );
    }),
    { numRuns: 200 },
  );
});

t.test('an event keeps its name, comments are skipped, and one without its blank line is dropped', async (t) => {
  const text = ': keep-alive\r\revent: done\rdata:{"a":1}\r\rdata: lost';
  t.strictSame(await parse(Buffer.from(text)), [{ event: 'done', data: '{"a":1}' }]);
});

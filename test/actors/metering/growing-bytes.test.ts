import t from 'tap';
import { GrowingBytes } from '../../../actors/metering/growing-bytes.ts';

t.test('pieces of any size come out as one, and what is handed out is not written to again', async (t) => {
  const bytes = new GrowingBytes();
  const expected: number[] = [];
  for (let size = 0; size < 60; size += 1) {
    const piece = Uint8Array.from({ length: size }, (_, index) => (size * 7 + index) % 256);
    bytes.append(piece);
    expected.push(...piece);
    piece.fill(0);
    t.same([...bytes.view()], expected);
    t.equal(bytes.length, expected.length);
  }
  const taken = bytes.take();
  t.equal(bytes.length, 0);
  t.equal(bytes.view().length, 0);
  bytes.append(Uint8Array.of(1, 2, 3));
  bytes.append(Uint8Array.of(4));
  t.same([...taken], expected);
  t.same([...bytes.view()], [1, 2, 3, 4]);
  bytes.keepEnd(2);
  bytes.append(Uint8Array.of(5));
  t.same([...bytes.view()], [3, 4, 5]);
  bytes.keepEnd(10);
  t.same([...bytes.view()], [3, 4, 5], 'fewer than that are all kept');
});

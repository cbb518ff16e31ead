import t from 'tap';
import { feedBytes, readAt, type ByteProgram, type ByteReader } from '../../../../actors/audio/formats/byte-program.ts';

const file = Uint8Array.from({ length: 20 }, (_, index) => index);
function* program(seen: number[][]): ByteProgram {
  seen.push([...(yield { take: 2 })]);
  yield { skip: 3 };
  seen.push([...(yield { take: 0 })]);
  yield { find: 8 };
  seen.push([...(yield { take: 3 })]);
  yield { skip: 8 };
  seen.push([...(yield { take: 0 })]);
  yield { skip: 0 };
  seen.push([99]);
}

t.test('a program gets what it asks for, however the bytes come', async (t) => {
  for (const step of [1, 2, 3, 7, 20]) {
    const seen: number[][] = [];
    const feeder = feedBytes(program(seen));
    for (let at = 0; at < file.length; at += step) feeder.push(file.subarray(at, at + step));
    t.strictSame(seen, [[0, 1], [], [9, 10, 11], [], [99]], `${step} at a time`);
    feeder.push(file);
    t.equal(seen.length, 5, 'and nothing behind its end');
  }
});

t.test('no program looks at more than 4,096 bytes at once', async (t) => {
  for (const [bytes, isGiven] of [
    [4_096, true],
    [4_097, false],
  ] as const) {
    const seen: number[] = [];
    const feeder = feedBytes(
      (function* (): ByteProgram {
        seen.push((yield { take: bytes }).length);
      })(),
    );
    feeder.push(new Uint8Array(5_000));
    t.strictSame(seen, isGiven ? [bytes] : []);
  }
});

t.test('a reader reads from bytes that lie there whole, and says where it stopped or that they ended', async (t) => {
  const reader = function* (): ByteReader<number[]> {
    const [first = 0] = yield { take: 1 };
    return [first, ...(yield { take: 0 }), ...(yield { take: 2 })];
  };
  t.strictSame(readAt(file, 17, reader()), { value: [17, 18, 19], end: 20 });
  t.equal(readAt(file, 18, reader()), undefined);
});

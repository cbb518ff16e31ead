import t from 'tap';
import { feedBytes, type ByteProgram } from '../../../../actors/audio/formats/byte-program.ts';

const file = Uint8Array.from({ length: 20 }, (_, index) => index);
function* program(seen: number[][]): ByteProgram {
  seen.push([...(yield { take: 2 })]);
  yield { skip: 3 };
  seen.push([...(yield { take: 0 })]);
  yield { find: Uint8Array.of(7, 8) };
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

t.test('what looks for itself is shown what it left once more, and nothing of what it stepped over', async (t) => {
  for (const step of [1, 2, 3, 7, 20]) {
    const seen: number[] = [];
    const scan = (bytes: Uint8Array): number => {
      let at = 0;
      for (; at + 3 <= bytes.length; at += 5) seen.push(...bytes.subarray(at, at + 3));
      return at;
    };
    const feeder = feedBytes(
      (function* (): ByteProgram {
        yield { take: 2 };
        yield { scan, seen: Uint8Array.of(98, 99) };
      })(),
    );
    for (let at = 0; at < file.length; at += step) feeder.push(file.subarray(at, at + step));
    t.strictSame(seen, [98, 99, 2, 5, 6, 7, 10, 11, 12, 15, 16, 17], `${step} at a time`);
  }
});

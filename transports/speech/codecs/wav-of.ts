/** Samples as a WAV file: how a stretch of live speech reaches a recogniser, which takes files. */
import { toPcm16 } from './pcm16.ts';

const HEAD_BYTES = 44;

/** One channel of 16 bits. */
export function wavOf(samples: Float32Array, rate: number): Buffer {
  const data = toPcm16(samples);
  const head = Buffer.alloc(HEAD_BYTES);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(HEAD_BYTES - 8 + data.length, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

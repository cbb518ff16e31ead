import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { createSpeechCutter, type SpeechPiece } from '../../../transports/speech/cut-speech.ts';

const rate = 16_000;
const frame = 512;

/** Pieces of a recording of alternating seconds of speech and of silence; the samples count up, so that each tells its place. */
function cut(...lengths: readonly number[]): { readonly pieces: SpeechPiece[]; readonly frames: readonly boolean[] } {
  const frames = lengths.flatMap((seconds, index) =>
    Array.from({ length: Math.round((seconds * rate) / frame) }, () => index % 2 === 0),
  );
  const cutter = createSpeechCutter();
  const pieces: SpeechPiece[] = [];
  for (const [index, isSpeech] of frames.entries()) {
    const piece = cutter.push(new Float32Array(frame).fill(index), isSpeech ? 0.9 : 0.1);
    if (piece !== undefined) pieces.push(piece);
  }
  const rest = cutter.end();
  return { pieces: rest === undefined ? pieces : [...pieces, rest], frames };
}

const secondsOf = ({ samples }: SpeechPiece): number => samples.length / rate;
const around = (value: number | undefined, wanted: number, slack = 0.1): boolean =>
  value !== undefined && Math.abs(value - wanted) <= slack;

t.test('leaves out what is no speech, but for a little around it', async (t) => {
  t.same(cut(0, 60).pieces, []);
  const { pieces } = cut(0, 20, 4, 15);
  t.equal(pieces.length, 1);
  t.ok(around(secondsOf(pieces[0]!), 4.6), `${secondsOf(pieces[0]!)} s`);
  t.ok(around(pieces[0]?.spans[0]?.startSeconds, 20));
  t.ok(around(pieces[0]?.spans[0]?.endSeconds, 24));
});

t.test('takes no click for speech', async (t) => {
  t.same(cut(0.07, 3, 0.07, 3).pieces, []);
});

t.test('keeps together what is said with pauses between, and tells when', async (t) => {
  const { pieces } = cut(3, 0.5, 4, 1, 5);
  t.equal(pieces.length, 1);
  t.equal(pieces[0]?.spans.length, 3);
  t.ok(around(pieces[0]?.spans[2]?.startSeconds, 8.5));
});

t.test('cuts behind a long silence', async (t) => {
  t.equal(cut(3, 2.5, 3).pieces.length, 2);
});

t.test('prefers the longer pause of the later two thirds: sentences end there', async (t) => {
  const { pieces } = cut(15, 0.6, 10, 0.3, 20);
  t.ok(around(pieces[0]?.spans.at(-1)?.endSeconds, 15), JSON.stringify(pieces[0]?.spans));
});

t.test('takes an early pause rather than none', async (t) => {
  t.ok(around(cut(4, 0.4, 60).pieces[0]?.spans.at(-1)?.endSeconds, 4));
});

t.test('gives every frame of speech to one piece, none longer than half a minute', async () => {
  const lengths = fc.array(fc.double({ min: 0.2, max: 40, noNaN: true }), { maxLength: 7 });
  fc.assert(
    fc.property(lengths, (seconds) => {
      const { pieces, frames } = cut(...seconds);
      const heard = new Set<number>();
      for (const piece of pieces) {
        assert.ok(secondsOf(piece) <= 30.1, `${secondsOf(piece)} s`);
        for (let at = 0; at < piece.samples.length; at += frame) heard.add(piece.samples[at] ?? -1);
      }
      const missed = frames.flatMap((isSpeech, index) => (isSpeech && !heard.has(index) ? [index] : []));
      assert.deepEqual(missed, []);
    }),
    { numRuns: 60 },
  );
});

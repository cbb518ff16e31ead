import t from 'tap';
import { LiveIntake } from '../../../actors/live/live-intake.ts';
import type { LiveFormat } from '../../../actors/live/live-protocol.ts';
import { LIMITS } from '../../../config/limits.ts';

const audio = (...bytes: number[]) => ({ type: 'audio', frame: Uint8Array.from(bytes) }) as const;
const intakeOf = (format: LiveFormat) => new LiveIntake(format, 0);
const PCM = { codec: 'pcm16', rate: 16_000 } as const;

t.test('seconds follow from the samples, or from what an Opus packet says of itself', async (t) => {
  const pcm = intakeOf(PCM);
  pcm.put({ type: 'audio', frame: new Uint8Array(32_000) });
  t.equal(pcm.seconds, 0, 'nothing counts before it is passed on');
  pcm.next(0);
  t.equal(pcm.seconds, 1);
  const opus = intakeOf({ codec: 'opus' });
  // 20 ms SILK; 60 ms SILK; two frames of 20 ms CELT; six frames of 20 ms, by their count.
  for (const packet of [audio(0x08, 1), audio(0x18, 1), audio(0xf9, 1), audio(0xfb, 6)])
    t.equal(opus.put(packet), 'kept');
  while (opus.next(0) !== undefined);
  t.equal(opus.seconds, 0.24);
  t.equal(opus.heard, 4);
});

t.test('what is no frame of the format is told from what is', async (t) => {
  const pcm = intakeOf(PCM);
  t.equal(pcm.put(audio()), 'malformed');
  t.equal(pcm.put(audio(1, 2, 3)), 'malformed');
  t.equal(pcm.put(audio(1, 2)), 'kept');
  const opus = intakeOf({ codec: 'opus' });
  t.equal(opus.put(audio()), 'malformed');
  t.equal(opus.put(audio(0xfb, 0)), 'malformed', 'no frames');
  t.equal(opus.put({ type: 'audio', frame: new Uint8Array(3_841) }), 'malformed');
  t.equal(opus.put(audio(0x08)), 'kept', 'silence may be one byte');
});

t.test('a frame is kept as it was', async (t) => {
  const intake = intakeOf(PCM);
  const frame = Uint8Array.of(1, 2);
  intake.put({ type: 'audio', frame });
  frame.fill(9);
  t.match(intake.next(0), { type: 'audio', frame: Uint8Array.of(1, 2) });
});

t.test('many small messages fill it as few large ones do', async (t) => {
  const intake = intakeOf(PCM);
  let kept = 0;
  while (intake.put({ type: 'commit' }) === 'kept') kept += 1;
  t.equal(kept, LIMITS.live.queuedBytes / LIMITS.live.frameOverheadBytes);
  intake.forget();
  t.equal(intake.put({ type: 'commit' }), 'kept');
  t.equal(intake.heard, 0, 'what was forgotten was not heard');
});

t.test('messages without audio do not get past it without end', async (t) => {
  const intake = intakeOf(PCM);
  for (let count = 0; count < 1000; count += 1) intake.put({ type: 'commit' });
  let passed = 0;
  while (intake.next(0) !== undefined) passed += 1;
  t.equal(passed, LIMITS.live.aheadSeconds * 10);
  t.ok((intake.waitMs(0) ?? 0) > 0);
  t.equal(intakeOf(PCM).waitMs(0), undefined);
});

t.test('who was silent has no more than the first time', async (t) => {
  const intake = intakeOf(PCM);
  const fill = () => {
    while (intake.put({ type: 'audio', frame: new Uint8Array(32_000) }) === 'kept');
  };
  fill();
  let passed = 0;
  while (intake.next(1_000_000) !== undefined) passed += 1;
  t.equal(passed, LIMITS.live.aheadSeconds);
});

import t, { type Test } from 'tap';
import type { Hearing, HearingListener, HearingOptions, Stretch } from '../../../actors/inference/ear.ts';
import { VelloError } from '../../../config/errors.ts';
import { openEar } from '../../../transports/speech/listening-ear.ts';
import { pcmFramesOf } from '../../fixtures/realtime-client.ts';
import { recording } from '../../fixtures/recordings.ts';

const PCM: HearingOptions = { format: { codec: 'pcm16', rate: 16_000 }, silenceSeconds: 0.5 };
const fox = recording('fox-8k.wav');
const frames = await pcmFramesOf(fox.bytes);
const silence = Array.from({ length: 10 }, () => new Uint8Array(3_200));

type Told = readonly [what: keyof HearingListener, ...rest: unknown[]];

/** An ear of the test's own, and how it died. */
function openTestEar(t: Test, silenceMs = 60_000) {
  const deaths: Error[] = [];
  const ear = openEar({ onDeath: (cause) => void deaths.push(cause), silenceMs });
  t.teardown(() => ear.close());
  const listen = (options = PCM) => {
    const told: Told[] = [];
    let wakes: (() => void)[] = [];
    const names = ['began', 'stretch', 'heard', 'cut', 'glimpsed', 'broken'] as const;
    const hear =
      (name: (typeof names)[number]) =>
      (...rest: unknown[]) => {
        told.push([name, ...rest]);
        const woken = wakes;
        wakes = [];
        woken.forEach((wake) => wake());
      };
    const listener = Object.fromEntries(names.map((name) => [name, hear(name)])) as unknown as HearingListener;
    const hearing: Hearing = ear.listen(options, listener);
    const until = async (what: keyof HearingListener, count = 1): Promise<Told> => {
      for (;;) {
        const found = told.filter(([name]) => name === what)[count - 1];
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => wakes.push(resolve));
      }
    };
    return { hearing, told, until };
  };
  return { ear, deaths, listen };
}

t.test('it tells when somebody begins, what is being said, and what was said', async (t) => {
  const { listen } = openTestEar(t);
  const { hearing, told, until } = listen();
  for (const frame of [...silence, ...frames.slice(0, 30)]) hearing.hear(frame);
  hearing.glimpse();
  const [, startMs] = await until('began');
  t.ok(Number(startMs) > 900 && Number(startMs) < 1_800, `after ${Number(startMs)} ms`);
  const [, glimpsed] = await until('glimpsed');
  t.ok((glimpsed as Float32Array).length > 32_000, 'some seconds of speech');
  for (const frame of [...frames.slice(30), ...silence]) hearing.hear(frame);
  const [, stretch] = (await until('stretch')) as [string, Stretch];
  t.equal(stretch.startMs, startMs);
  t.ok(Math.abs((stretch.endMs - stretch.startMs) / 1000 - fox.seconds) < 1);
  t.ok(Math.abs(stretch.samples.length / 16_000 - fox.seconds) < 1);
  await until('heard', silence.length * 2 + frames.length);
  t.equal(told.filter(([what]) => what === 'began').length, 1);
  hearing.glimpse();
  t.same(await until('glimpsed', 2), ['glimpsed', undefined], 'nobody speaks');
});

t.test('calls are heard apart, and one that cannot be read costs no other', async (t) => {
  const { listen, deaths } = openTestEar(t);
  const [spoken, broken] = [listen(), listen({ ...PCM, format: { codec: 'opus' } })];
  for (const frame of frames) {
    spoken.hearing.hear(frame);
    broken.hearing.hear(Uint8Array.of(0xff, 0xff, 0xff));
  }
  const [, error] = await broken.until('broken');
  t.match(error, { code: 'AUDIO_NOT_RECOGNISED' });
  spoken.hearing.cut();
  await spoken.until('cut');
  t.equal(spoken.told.filter(([what]) => what === 'stretch').length, 1, 'what was being said was cut off there');
  const count = broken.told.length;
  broken.hearing.hear(frames[0] ?? new Uint8Array());
  spoken.hearing.cut();
  await spoken.until('cut', 2);
  t.equal(broken.told.length, count, 'nothing more is told of it');
  t.same(deaths, []);
});

t.test('a frame may be used again when it was handed over', async (t) => {
  const { listen } = openTestEar(t);
  const { hearing, told, until } = listen();
  const reused = Buffer.alloc(3_200);
  for (const frame of frames) {
    frame.copy(reused);
    hearing.hear(reused);
    reused.fill(0);
  }
  hearing.cut();
  await until('cut');
  t.ok(told.some(([what]) => what === 'stretch'));
});

t.test('one that says nothing for too long is given up, with all its calls, and tells of it once', async (t) => {
  const { listen, deaths, ear } = openTestEar(t, 1);
  const { until, hearing } = listen();
  hearing.hear(frames[0] ?? new Uint8Array());
  const [, error] = await until('broken');
  t.ok(error instanceof VelloError && error.code === 'ENGINE_FAILED');
  t.equal(deaths.length, 1);
  t.throws(() => ear.listen(PCM, {} as HearingListener), { code: 'ENGINE_FAILED' });
});

t.test('a closed one ends its calls, and did not die', async (t) => {
  const { listen, deaths, ear } = openTestEar(t);
  const { until, hearing } = listen();
  hearing.hear(frames[0] ?? new Uint8Array());
  await ear.close();
  t.match(await until('broken'), ['broken', { code: 'ENGINE_FAILED' }]);
  hearing.hear(frames[0] ?? new Uint8Array());
  t.same(deaths, []);
});

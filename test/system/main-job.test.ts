/** Contract §3 to §7 in one: a desktop speaks, reads its words, is charged once and is told once. */
import t from 'tap';
import { wavFile } from '../fixtures/audio-bytes.ts';
import { eventually } from '../fixtures/event-streams-on-redis.ts';
import type { JobCreated } from '../../actors/sessions/desktop-protocol.ts';
import { transcriptionCredits } from '../../actors/credits/credits-for.ts';
import { packedRecording, recording, wordsOf } from '../fixtures/recordings.ts';
import { runVello } from '../fixtures/running-vello.ts';

const vello = await runVello(t);

/** Every spoken word but one or two, in any neighbourhood: models differ in small words. */
const saysTheWords = (heard: string, spoken: string): boolean => {
  const words = new Set(wordsOf(heard));
  const known = wordsOf(spoken);
  return known.filter((word) => words.has(word)).length >= known.length * 0.85;
};

for (const file of ['garden-16k.flac', 'fox-8k.wav', 'garden-44k-stereo.flac']) {
  for (const stream of [true, false]) {
    const how = stream ? 'streamed' : 'whole';
    t.test(`${file}, ${how}: the words, one event, one job, one ledger entry, one job_created`, async (t) => {
      const { text: spoken, seconds, bytes } = recording(file);
      const desktop = vello.desktop();
      const { deviceId, userId, credits } = await desktop.register();
      t.match(credits, { granted: 5000, balance: 5000 });
      const told: JobCreated[] = [];
      let hear: (job: JobCreated) => void;
      const first = new Promise<JobCreated>((resolve) => (hear = resolve));
      const connection = await desktop.connect({
        job_created: (job) => {
          told.push(job);
          hear(job);
        },
      });

      const transcription = desktop.transcribe(bytes, { model: 'moonshine-tiny', stream, fileName: file });
      const pieces: string[] = [];
      for await (const piece of transcription) pieces.push(piece);
      t.ok(saysTheWords(pieces.join(''), spoken), pieces.join(''));
      if (stream) t.ok(pieces.length > 3, `the text came in ${pieces.length} pieces`);

      const price = transcriptionCredits(seconds);
      const job = await first;
      t.match(job, { session_id: transcription.sessionId, credits_deducted: price, balance: 5000 - price });

      const jobs = await vello.database`select * from jobs where user_id = ${userId}`;
      t.equal(jobs.length, 1);
      t.match(jobs[0], {
        id: job.job_id,
        device_id: deviceId,
        type: 'transcribe',
        outcome: 'ok',
        audio_source: 'usage',
      });
      t.ok(Math.abs(Number(jobs[0]?.['audio_seconds']) - seconds) < 0.01);
      const ledger = await vello.database`select delta, balance_after from credit_transactions
        where user_id = ${userId} and kind = 'charge'`;
      t.strictSame(
        ledger.map(({ delta, balance_after }) => [Number(delta), Number(balance_after)]),
        [[-price, 5000 - price]],
      );
      const events = await vello.database`select event_id from processed_events where user_id = ${userId}`;
      t.strictSame([...events], [{ event_id: job.event_id }]);
      t.equal(told.length, 1);
      await connection.close();
    });
  }
}

t.test('what holds no speech, or speech of an unknown language, is refused by name and costs nothing', async (t) => {
  const hum = new Uint8Array(10 * 8000).map((_, at) => 128 + Math.round(40 * Math.sin(at / 4)));
  const humming = wavFile({ sampleRate: 8000, channels: 1, bitsPerSample: 8 }, hum);
  const portuguese = packedRecording('portuguese-8k.wav');
  for (const [file, code] of [
    [humming, 'AUDIO_WITHOUT_SPEECH'],
    [portuguese, 'AUDIO_NOT_UNDERSTOOD'],
  ] as const) {
    for (const stream of [true, false]) {
      const desktop = vello.desktop();
      const { userId } = await desktop.register();
      const options = { model: 'moonshine-tiny', stream, fileName: 'recording.wav' };
      await t.rejects(desktop.transcribe(file, options).text(), { code, status: 400 });
      const settled = () => vello.database`select outcome, credits_deducted from jobs where user_id = ${userId}`;
      await eventually(async () => (await settled()).length === 1);
      t.match((await settled())[0], { outcome: 'ok', credits_deducted: '0' });
      const charges = await vello.database`select from credit_transactions
        where user_id = ${userId} and kind = 'charge'`;
      t.equal(charges.length, 0);
    }
  }
});

t.test('acknowledged entries are gone: the streams hold no backlog', async (t) => {
  const { Redis } = await import('ioredis');
  const redis = new Redis(vello.redis.url);
  t.teardown(() => redis.disconnect());
  for (const stream of ['transcribe', 'process', 'dlq']) {
    // The job is told of before its entry is acknowledged.
    await eventually(async () => (await redis.xlen(`modelsgateway:events:${stream}`)) === 0);
    t.pass(stream);
  }
});

import t from 'tap';
import type { Recognition } from '../../../../actors/inference/speech-engine.ts';
import { srtTranscription, vttTranscription } from '../../../../transports/http/inference/transcription-formats.ts';

const segment = (startSeconds: number, endSeconds: number, text: string) => ({
  ...{ startSeconds, endSeconds, text },
  ...{ tokens: [], averageLogProbability: 0 },
});
const recognition: Recognition = {
  text: '',
  audioSeconds: 3800,
  segments: [
    segment(0, 1.2345, ' Hello,\n\n there.'),
    segment(2, 3, ' '),
    segment(59.9996, 3725.5, ' a < b && c --> d'),
  ],
};

t.test('srt numbers its cues, skips the empty ones and carries rounded milliseconds over', async (t) => {
  t.equal(
    srtTranscription(recognition),
    '1\n00:00:00,000 --> 00:00:01,235\nHello, there.\n\n2\n00:01:00,000 --> 01:02:05,500\na < b && c --> d\n\n',
  );
});

t.test('vtt has its head line, and no text that could be read as markup or as times', async (t) => {
  t.equal(
    vttTranscription(recognition),
    'WEBVTT\n\n00:00:00.000 --> 00:00:01.235\nHello, there.\n\n' +
      '00:01:00.000 --> 01:02:05.500\na &lt; b &amp;&amp; c --&gt; d\n\n',
  );
});

t.test('a recording without speech is a file without cues', async (t) => {
  const silence = { ...recognition, segments: [] };
  t.strictSame([srtTranscription(silence), vttTranscription(silence)], ['', 'WEBVTT\n\n']);
});

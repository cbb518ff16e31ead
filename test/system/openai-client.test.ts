/** Contract §4: any OpenAI client works with `baseURL` at the gateway and an access token as its key. */
import OpenAI, { toFile } from 'openai';
import t from 'tap';
import { recording, wordsOf } from '../fixtures/recordings.ts';
import { runVello } from '../fixtures/running-vello.ts';

const vello = await runVello(t);
const desktop = vello.desktop();
await desktop.register();
const openai = new OpenAI({
  baseURL: `${vello.gatewayUrl}/v1`,
  apiKey: await desktop.accessToken(),
  maxRetries: 0,
});
const { bytes, text: spoken } = recording('garden-16k.flac');
const file = () => toFile(bytes, 'garden-16k.flac');

t.test('the unmodified client transcribes a recording', async (t) => {
  const { text } = await openai.audio.transcriptions.create({ file: await file(), model: 'moonshine-tiny' });
  t.strictSame(wordsOf(text), wordsOf(spoken));
});

t.test('the unmodified client streams a transcription', async (t) => {
  const stream = await openai.audio.transcriptions.create({
    file: await file(),
    model: 'moonshine-tiny',
    stream: true,
  });
  let deltas = '';
  let done = '';
  for await (const event of stream) {
    if (event.type === 'transcript.text.delta') deltas += event.delta;
    else if (event.type === 'transcript.text.done') done = event.text;
  }
  t.strictSame(wordsOf(deltas), wordsOf(spoken));
  t.equal(done, deltas);
});

t.test('errors reach it in the shape that it knows', async (t) => {
  const stranger = new OpenAI({ baseURL: `${vello.gatewayUrl}/v1`, apiKey: 'no-such-token', maxRetries: 0 });
  const refused = stranger.audio.transcriptions.create({ file: await file(), model: 'moonshine-tiny' });
  await t.rejects(refused, { status: 401, code: 'AUTH_TOKEN_UNKNOWN', type: 'authentication_error' });
});

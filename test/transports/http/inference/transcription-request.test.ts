import t from 'tap';
import { parseTranscriptionRequest } from '../../../../transports/http/inference/transcription-request.ts';

function languageOf(given: string | undefined, languages: readonly string[]): string {
  const part = (name: string, value: string) =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const language = given === undefined ? '' : part('language', given);
  const file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n';
  const body = Buffer.from(`${part('model', 'whisper-1')}${language}${file}--b--\r\n`);
  return parseTranscriptionRequest(body, 'multipart/form-data; boundary=b', languages).language;
}

t.test('takes a language by its code, with or without a region, and by its English name', async (t) => {
  for (const given of ['pt', 'pt-BR', 'PT', 'Portuguese', 'portuguese']) {
    t.equal(languageOf(given, ['en', 'pt']), 'pt', given);
  }
  t.equal(languageOf(undefined, ['en', 'pt']), 'en');
  t.equal(languageOf('', ['en', 'pt']), 'en');
});

t.test('refuses a language that no model knows, and names those that there are', async (t) => {
  const refused = { code: 'BAD_REQUEST', detail: 'There is a model of English, Portuguese only.' };
  for (const given of ['de', 'german', 'p', 'xx', '__proto__']) {
    t.throws(() => languageOf(given, ['en', 'pt']), refused, given);
  }
  const alone = { code: 'BAD_REQUEST', detail: 'There is a model of English only.' };
  t.throws(() => languageOf('pt', ['en']), alone);
});

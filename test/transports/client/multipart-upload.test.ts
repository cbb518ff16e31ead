import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { createMultipartUpload } from '../../../transports/client/multipart-upload.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

const audio = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) & 0xff));

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

t.test(
  'any server reads back the fields and the file, from a path or from memory, each time it is opened',
  async (t) => {
    const path = join(temporaryFolder(t), 'a "b".flac');
    await writeFile(path, audio);
    for (const source of [path, audio]) {
      const upload = await createMultipartUpload({ model: 'm', stream: 'true' }, source);
      for (const turn of ['first', 'second']) {
        const body = await bytesOf(upload.open());
        t.equal(body.length, upload.lengthBytes, `${turn}: announced length`);
        // eslint-disable-next-line @typescript-eslint/no-deprecated -- a parser that is not ours; the warning is about untrusted bodies
        const form = await new Response(body, { headers: { 'Content-Type': upload.contentType } }).formData();
        t.strictSame([form.get('model'), form.get('stream')], ['m', 'true']);
        const file = form.get('file');
        t.ok(file instanceof Blob && audio.equals(Buffer.from(await file.arrayBuffer())));
        t.ok(body.indexOf('name="model"') < body.indexOf('name="file"'), 'the model comes before the audio');
      }
    }
  },
);

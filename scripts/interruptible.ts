/** Work that Ctrl-C or SIGTERM ends. */

/**
 * Runs `work` with a signal that aborts at SIGINT, SIGTERM or, where `signals` says so, when its terminal closes. Resolves to its exit code, or to 130 where it was interrupted.
 * Rejects with its error where that had another cause.
 */
export async function interruptible(
  work: (signal: AbortSignal) => Promise<number>,
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'],
): Promise<number> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  for (const signal of signals) process.on(signal, interrupt);
  try {
    return await work(interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    console.error('\nStopped.');
    return 130;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

/** Work that Ctrl-C or SIGTERM ends. */

/**
 * Runs `work` with a signal that aborts at SIGINT or SIGTERM. Resolves to its exit code, or to 130 where it was interrupted.
 * Rejects with its error where that had another cause.
 */
export async function interruptible(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    return await work(interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    console.error('\nStopped.');
    return 130;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** One or two sentences, or undefined for an error that is not about a file. */
export function explainFileError(error: unknown): string | undefined;

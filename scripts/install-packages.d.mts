/** Types of `install-packages.mjs`. */
export function installPackages(root: string, report: (detail: string) => void, signal: AbortSignal): Promise<void>;

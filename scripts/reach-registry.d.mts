/** Types of `reach-registry.mjs`. */
export interface NpmConfig {
  readonly registry: string;
  readonly cache: string;
  readonly proxy: string | undefined;
}

export function readNpmConfig(cwd: string): Promise<NpmConfig>;

export function whyUnreachable(
  config: Pick<NpmConfig, 'registry' | 'proxy'>,
  signal: AbortSignal,
): Promise<string | undefined>;

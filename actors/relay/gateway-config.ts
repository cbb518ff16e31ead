/** What the gateway is told to do: providers, and who serves which model. One immutable snapshot; requests keep the one they began with. */
import type { Upstream } from './upstream.ts';
import type { ProviderKey, ProviderKeys } from './provider-key.ts';
import type { UsageEventType } from '../events/usage-event.ts';

export interface ProviderConfig {
  readonly name: string;
  /** Origin, and a path prefix where there is one; without `/v1`. */
  readonly baseUrl: string;
  /** Empty for a provider that asks for none. */
  readonly keys: readonly ProviderKey[];
  /** Our own engine: it is told, by a name that means nothing elsewhere, which requests are of one user, and shares itself out fairly. */
  readonly isOwn?: boolean;
  /** False for one that refuses `stream_options.include_usage`: its streamed chats are counted as they pass. */
  readonly countsStreams?: boolean;
}

export interface GatewayConfig {
  readonly version: string;
  readonly providers: readonly ProviderConfig[];
  /** Serves every model that is not listed. */
  readonly defaultProvider: string;
  readonly providerByModel: ReadonlyMap<string, string>;
  /** The model that a request means when it names none. */
  readonly defaultModels: Readonly<Partial<Record<UsageEventType, string>>>;
  /** Most bytes of a request's body, by the model that it is for; `*` is for recordings to all others. */
  readonly uploadBytes: ReadonlyMap<string, number>;
}

/** A provider that is up: its connections and keys, held by the actor that owns them. */
export interface Provider {
  readonly name: string;
  readonly upstream: Upstream;
  readonly keys: ProviderKeys;
  readonly isOwn?: boolean;
  readonly countsStreams?: boolean;
}

/** The providers that are up, by name. */
export type ProviderDirectory = Map<string, Provider>;

/** Whether a request's model decides where it goes: only then is a body held back until its model is known. */
export function needsModel(config: GatewayConfig): boolean {
  for (const provider of config.providerByModel.values()) {
    if (provider !== config.defaultProvider) return true;
  }
  return false;
}

export function providerFor(config: GatewayConfig, model: string | undefined): string {
  return (model === undefined ? undefined : config.providerByModel.get(model)) ?? config.defaultProvider;
}

/** What a body may have at most as far as its model is known; `undefined` where nothing bounds it. */
export function uploadBound(
  { uploadBytes }: Pick<GatewayConfig, 'uploadBytes'>,
  type: UsageEventType,
  model: string | undefined,
): number | undefined {
  if (uploadBytes.size === 0) return undefined;
  const ofModel = model === undefined ? undefined : uploadBytes.get(model);
  return ofModel ?? (type === 'transcribe' ? uploadBytes.get('*') : undefined);
}

/** One provider for everything: what the settings alone describe. */
export function singleProviderConfig(
  provider: ProviderConfig,
  uploadBytes: GatewayConfig['uploadBytes'] = new Map(),
): GatewayConfig {
  return {
    version: 'settings',
    providers: [provider],
    defaultProvider: provider.name,
    providerByModel: new Map(),
    defaultModels: {},
    uploadBytes,
  };
}

/** Holds the configuration in force. A swap is one assignment: requests under way keep the snapshot they began with. */
export interface ConfigHolder {
  readonly current: () => GatewayConfig;
  swap(next: GatewayConfig): void;
}

export function createConfigHolder(initial: GatewayConfig): ConfigHolder {
  let config = initial;
  return {
    current: () => config,
    swap: (next) => (config = next),
  };
}

/** Chooses what stands behind the gateway's ports: Redis for grants, prompts and events, a file for events that wait, and one provider from the settings. */
import { newId } from '../actors/identity/new-id.ts';
import type { AdmissionJournal } from '../actors/events/admission-notes.ts';
import type { Closable } from '../actors/kernel/owned.ts';
import type { EventOutlet, EventSpool } from '../actors/events/event-outlet.ts';
import type { GrantSource } from '../actors/ports/grants.ts';
import type { PromptSource } from '../actors/prompts/prompts-follower.ts';
import { singleProviderConfig, type GatewayConfig, type ProviderConfig } from '../actors/relay/gateway-config.ts';
import { ProviderKey } from '../actors/relay/provider-key.ts';
import { localUrlOf } from '../config/parse-setting.ts';
import type { Settings } from '../config/settings.ts';
import { gatewayFiles } from '../transports/process/gateway-files.ts';
import { connectRedis } from '../transports/redis/connection/connect.ts';
import { createPromptShelf } from '../transports/redis/prompts/prompt-shelf.ts';
import { createEventOutlet } from '../transports/redis/streams/event-outlet.ts';
import { createGrantSource } from '../transports/redis/grants/grant-source.ts';
import type { CommonParts } from './foundation.ts';

export interface GatewayStores extends Closable {
  readonly grants: GrantSource;
  readonly outlet: EventOutlet;
  readonly prompts: PromptSource;
}

export interface GatewayParts extends CommonParts {
  readonly openStores: () => Promise<GatewayStores>;
  readonly spool: EventSpool;
  readonly journal: AdmissionJournal;
  readonly config: GatewayConfig;
  readonly sharesPort: boolean;
  readonly newId: () => string;
}

type GatewaySettings = Pick<
  Settings,
  'providerUrl' | 'providerKey' | 'providerCountsStreams' | 'uploadBytes' | 'inferenceListen'
>;

export interface GatewayOptions extends CommonParts {
  readonly settings: GatewaySettings;
  /** For what waits to be sent. */
  readonly folder: string;
  /** Other processes of this gateway listen beside it. */
  readonly sharesPort: boolean;
  readonly redisUrl: string;
  /** Of our own inference role, which answers where no other provider is set. */
  readonly inferenceKey: string;
}

export function createGatewayParts(options: GatewayOptions): GatewayParts {
  const { settings, redisUrl, inferenceKey, clock, drain, log, metrics } = options;
  return {
    ...{ clock, drain, log, metrics },
    openStores: async () => {
      const redis = await connectRedis({ url: redisUrl, use: 'command', name: 'vello-gateway', log });
      const openReader = () => connectRedis({ url: redisUrl, use: 'blocking', name: 'vello-gateway-grants', log });
      return {
        grants: createGrantSource({ redis, openReader, log }),
        outlet: createEventOutlet(redis),
        prompts: createPromptShelf(redis),
        close: async () => redis.disconnect(),
      };
    },
    ...gatewayFiles(options.folder, log),
    sharesPort: options.sharesPort,
    config: gatewayConfigOf(settings, inferenceKey),
    newId,
  };
}

/** OpenAI's own bound of a request to its routes for audio: it answers 413 beyond. */
const OPENAI_UPLOAD_BYTES = 26_214_400;

export function gatewayConfigOf(settings: GatewaySettings, inferenceKey: string): GatewayConfig {
  const provider = providerOf(settings, inferenceKey);
  const isOpenAi = new URL(provider.baseUrl).hostname === 'api.openai.com';
  const ofProvider = new Map(isOpenAi ? [['*', OPENAI_UPLOAD_BYTES]] : []);
  return singleProviderConfig(provider, settings.uploadBytes ?? ofProvider);
}

/** The provider that the settings name: any OpenAI-compatible one, else OpenAI where there is a key for it, else our own inference role. */
export function providerOf(settings: Omit<GatewaySettings, 'uploadBytes'>, inferenceKey: string): ProviderConfig {
  const { providerUrl, providerKey, providerCountsStreams: countsStreams, inferenceListen } = settings;
  const keys = providerKey === undefined ? [] : [new ProviderKey('settings', providerKey)];
  if (providerUrl !== undefined) {
    // People paste base addresses as the SDKs want them, with the version.
    const baseUrl = providerUrl.replace(/\/v1$/, '');
    // Nobody else has that key: it is the inference role of another host.
    return { name: 'provider', baseUrl, keys, isOwn: providerKey === inferenceKey, countsStreams };
  }
  if (providerKey !== undefined) return { name: 'openai', baseUrl: 'https://api.openai.com', keys, countsStreams };
  return {
    name: 'inference',
    baseUrl: localUrlOf(inferenceListen),
    keys: [new ProviderKey('inference', inferenceKey)],
    isOwn: true,
  };
}

/**
 * The desktop SDK, `vello/client`: one object for the main process of a desktop application. Holds no window, no file but the identity's,
 * no global state.
 */
import type { Clock } from '../../actors/ports/clock.ts';
import type { Subprotocol } from '../../actors/sessions/desktop-protocol.ts';
import { systemClock } from '../process/system-clock.ts';
import { createApiClient } from './api-client.ts';
import { authenticate, type Authenticated, type DeviceDescription, type Fingerprints } from './authenticate.ts';
import { localError } from './client-error.ts';
import { connectDesktop, type ConnectionHandlers, type DesktopConnection } from './desktop-connection.ts';
import type { DeviceIdentity } from './device-identity.ts';
import { transcribeLive, type LiveOptions, type LiveTranscription } from './live.ts';
import type { LiveText } from './live-texts-queue.ts';
import { createServerClock } from './server-clock.ts';
import { createTokenKeeper, type HeldTokens } from './token-keeper.ts';
import { transcribe, type TranscribeOptions, type Transcription } from './transcribe.ts';

export { ClientError } from './client-error.ts';
export { openDeviceIdentity } from './device-identity.ts';
export type { ConnectionHandlers, DesktopConnection, DeviceIdentity, TranscribeOptions, Transcription };
export type { LiveOptions, LiveText, LiveTranscription };

export interface DesktopClientOptions {
  /** `http(s)://host[:port]` of the api. */
  readonly apiUrl: string;
  /** `http(s)://host[:port]` of the gateway. */
  readonly gatewayUrl: string;
  /** From `openDeviceIdentity(folder)`. */
  readonly identity: DeviceIdentity;
  readonly fingerprints: Fingerprints;
  readonly device: DeviceDescription;
  /** Longest wait for an answer of the api (default 30 000 ms). Transcriptions have no such bound. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

export interface Registration {
  readonly userId: string;
  readonly deviceId: string;
  /** Whether this call opened the account. */
  readonly created: boolean;
  readonly credits: { readonly granted: number; readonly balance: number };
}

export interface DesktopClient {
  /** Authenticates with the device key and opens the account on first sight. Repeating it is harmless. @throws ClientError */
  register(): Promise<Registration>;
  /** A valid access token: what any OpenAI client takes as its key at the gateway. @throws ClientError */
  accessToken(): Promise<string>;
  /** Transcribes a file, or a recording held in memory. Nothing is sent before the first iteration. */
  transcribe(source: string | Uint8Array, options: TranscribeOptions): Transcription;
  /** Transcribes a microphone while it is spoken into. Nothing is read or sent before the first iteration. */
  live(audio: AsyncIterable<Uint8Array>, options: LiveOptions): LiveTranscription;
  /** Opens the WebSocket and keeps it open. @throws ClientError why the first attempt failed. */
  connect(handlers: ConnectionHandlers, subprotocol?: Subprotocol): Promise<DesktopConnection>;
  /** What must be added to this machine's clock to get the server's, in milliseconds. */
  readonly clockOffsetMs: number;
  /** Ends connections, calls and timers. */
  close(): void;
}

export function createDesktopClient(options: DesktopClientOptions): DesktopClient {
  const { identity, fingerprints, device, timeoutMs = 30_000, clock = systemClock } = options;
  const apiUrl = options.apiUrl.replace(/\/+$/, '');
  const gatewayUrl = options.gatewayUrl.replace(/\/+$/, '');
  const closing = new AbortController();
  const { signal } = closing;
  const serverClock = createServerClock(clock);
  const call = createApiClient({ url: apiUrl, clock, signal, timeoutMs });
  let registered: Authenticated | undefined;

  const enter = async (): Promise<Authenticated> => {
    registered = await authenticate(call, identity, serverClock, fingerprints, device);
    return registered;
  };
  const keeper = createTokenKeeper({
    clock,
    signal,
    source: {
      authenticate: enter,
      refresh: async (refreshToken) => {
        const answer = await call({
          method: 'POST',
          path: '/api/auth/refresh',
          body: { refresh_token: refreshToken },
        });
        return answer.body as HeldTokens;
      },
    },
  });

  return {
    register: async () => {
      const entered = await enter();
      keeper.accept(entered);
      const { user_id: userId, device_id: deviceId, created, credits } = entered;
      return { userId, deviceId, created, credits };
    },
    accessToken: () => keeper.token(),
    transcribe: (source, transcribeOptions) =>
      transcribe({ gatewayUrl, token: keeper.token, replace: keeper.replace, signal }, source, transcribeOptions),
    live: (audio, liveOptions) =>
      transcribeLive({ gatewayUrl, clock, token: keeper.token, replace: keeper.replace, signal }, audio, liveOptions),
    connect: async (handlers, subprotocol = 'vello.v1.json') => {
      await keeper.token();
      if (registered === undefined) throw localError('CLOSED', 'The client was closed.');
      const deps = {
        url: apiUrl.replace(/^http/, 'ws'),
        deviceId: registered.device_id,
        identity,
        serverClock,
        clock,
        subprotocol,
        signal,
        token: keeper.token,
        replace: keeper.replace,
        onRenewed: keeper.onRenewed,
      };
      return connectDesktop(deps, handlers);
    },
    get clockOffsetMs() {
      return serverClock.offsetMs;
    },
    close: () => closing.abort(),
  };
}

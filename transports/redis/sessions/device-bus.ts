/** News for devices over Redis pub/sub: two channels for each device that somebody follows, one subscriber connection for all of them. */
import type { Redis } from 'ioredis';
import type {
  DeviceBus,
  DeviceChannelListener,
  DeviceNotice,
  DeviceNotifier,
} from '../../../actors/sessions/device-channels.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const announceSession = loadLuaScript(import.meta.url, './session-announce.lua', 'fence channel lifetimeMs');

const MESSAGES = 'vello:device:';
const SESSIONS = 'vello:session:';
export const deviceChannel = (deviceId: string): string => MESSAGES + deviceId;

/** Long after the last session of before could still be open. */
const FENCE_MS = 24 * 3600 * 1000;

export function createDeviceNotifier(commands: Redis): DeviceNotifier {
  return {
    notify: async (deviceId, notification) => {
      await commands.publish(deviceChannel(deviceId), JSON.stringify(notification));
    },
  };
}

export interface DeviceBusOptions {
  /** A `command` connection. */
  readonly redis: Redis;
  /** Opens a `subscriber` connection for one opening of the bus. */
  readonly openSubscriber: () => Promise<Redis>;
}

export function createDeviceBus({ redis, openSubscriber }: DeviceBusOptions): DeviceBus {
  return {
    announceSession: async (deviceId) => {
      const [fence, channel] = [`vello:session-fence:${deviceId}`, SESSIONS + deviceId];
      return Number(await announceSession(redis, { fence, channel, lifetimeMs: FENCE_MS }));
    },
    open: async (listener) => {
      const subscriber = await openSubscriber();
      subscriber.on('message', (channel: string, payload: string) => pass(channel, payload, listener));
      subscriber.on('ready', () => {
        // Redis answers in order: once this is answered, the channels are subscribed again and nothing is missed any more.
        subscriber.ping().then(
          () => listener.reconnected(),
          () => undefined,
        );
      });
      return {
        follow: async (deviceId) => {
          await subscriber.subscribe(deviceChannel(deviceId), SESSIONS + deviceId);
        },
        unfollow: async (deviceId) => {
          await subscriber.unsubscribe(deviceChannel(deviceId), SESSIONS + deviceId);
        },
        close: () => subscriber.disconnect(),
      };
    },
  };
}

function pass(channel: string, payload: string, listener: DeviceChannelListener): void {
  if (channel.startsWith(SESSIONS)) {
    const fence = Number(payload);
    if (Number.isFinite(fence)) listener.notice(channel.slice(SESSIONS.length), { type: 'session', fence });
  } else if (channel.startsWith(MESSAGES)) {
    const notice = readMessage(payload);
    if (notice !== undefined) listener.notice(channel.slice(MESSAGES.length), notice);
  }
}

/** A notice that cannot be read is dropped: the message it is about is in the store. */
function readMessage(payload: string): DeviceNotice | undefined {
  try {
    const message: unknown = JSON.parse(payload);
    if (typeof message !== 'object' || message === null || !('seq' in message) || !('type' in message))
      return undefined;
    const { seq, type } = message;
    if (typeof seq !== 'number' || typeof type !== 'string') return undefined;
    return { type: 'message', message: { ...message, seq, type } };
  } catch {
    return undefined;
  }
}

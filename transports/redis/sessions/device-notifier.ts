/** Device notifications over Redis pub/sub: one channel for each device, named here for publisher and subscriber alike. */
import type { Redis } from 'ioredis';
import type { Notifier } from '../../../actors/sessions/device-notifier.ts';

export const DEVICE_CHANNEL_PREFIX = 'vello:device:';
export const deviceChannel = (deviceId: string): string => DEVICE_CHANNEL_PREFIX + deviceId;

export function createRedisNotifier(commands: Redis): Notifier {
  return {
    notify: async (deviceId, notification) => {
      await commands.publish(deviceChannel(deviceId), JSON.stringify(notification));
    },
  };
}

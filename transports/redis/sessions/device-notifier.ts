/** Device notifications over Redis pub/sub: one channel for each device, named here for publisher and subscriber alike. */
import type { Redis } from 'ioredis';
import type { DeviceNotifier } from '../../../actors/sessions/device-channels.ts';

export const DEVICE_CHANNEL_PREFIX = 'vello:device:';
export const deviceChannel = (deviceId: string): string => DEVICE_CHANNEL_PREFIX + deviceId;

export function createDeviceNotifier(commands: Redis): DeviceNotifier {
  return {
    notify: async (deviceId, notification) => {
      await commands.publish(deviceChannel(deviceId), JSON.stringify(notification));
    },
  };
}

/** Owns the connection over which news for devices arrives. Whom the news is for stands in the followers' table. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { DeviceBus } from './device-channels.ts';
import type { DeviceFollowers } from './device-followers.ts';

export function noticeFollower(bus: DeviceBus, followers: DeviceFollowers): ActorDefinition<never> {
  return {
    type: 'notice-follower',
    start: async () => {
      const channels = await bus.open(followers);
      await followers.attach(channels);
      return {
        receive: () => undefined,
        stop: () => {
          followers.detach();
          channels.close();
        },
        describe: () => ({ devices: followers.count }),
      };
    },
  };
}

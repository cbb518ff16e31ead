/**
 * Who in this process wants to hear of which device. A plain table, because it must outlive the actor that owns the subscriber
 * connection: one that restarts finds here whom it has to listen for.
 */
import type { ActorDefinition } from '../kernel/actor.ts';
import { owned } from '../kernel/owned.ts';
import type { DeviceBus, DeviceChannelListener, DeviceChannels, DeviceNotice } from './device-channels.ts';

export interface DeviceFollower {
  notice(notice: DeviceNotice): void;
  /** Notices may have been lost: the store is to be read. */
  catchUp(): void;
}

export interface DeviceFollowers extends DeviceChannelListener {
  /**
   * Resolves once notices will arrive. Without a connection it resolves at once, and `catchUp` follows when there is one; a device has
   * one follower, the latest.
   */
  follow(deviceId: string, follower: DeviceFollower): Promise<void>;
  /** Does nothing when another follower has taken the device over. */
  unfollow(deviceId: string, follower: DeviceFollower): void;
  /** Follows on `channels` from now on; everybody catches up. */
  attach(channels: DeviceChannels): Promise<void>;
  /** Does nothing when others were attached since. */
  detach(channels: DeviceChannels): void;
  readonly count: number;
}

export function createDeviceFollowers(): DeviceFollowers {
  const followers = new Map<string, DeviceFollower>();
  let channels: DeviceChannels | undefined;
  const catchUp = () => {
    for (const follower of followers.values()) follower.catchUp();
  };
  return {
    follow: async (deviceId, follower) => {
      followers.set(deviceId, follower);
      await channels?.follow(deviceId);
    },
    unfollow: (deviceId, follower) => {
      if (followers.get(deviceId) !== follower) return;
      followers.delete(deviceId);
      // A subscription that stays costs a notice now and then; the connection's end removes it.
      channels?.unfollow(deviceId).catch(() => undefined);
    },
    attach: async (opened) => {
      channels = opened;
      await Promise.all([...followers.keys()].map((deviceId) => opened.follow(deviceId)));
      catchUp();
    },
    detach: (closed) => {
      if (channels === closed) channels = undefined;
    },
    notice: (deviceId, notice) => followers.get(deviceId)?.notice(notice),
    reconnected: catchUp,
    get count() {
      return followers.size;
    },
  };
}

/** Owns the connection over which the news arrives. */
export const noticeFollower = (bus: DeviceBus, followers: DeviceFollowers): ActorDefinition<never> =>
  owned(
    'notice-follower',
    async ({ signal }) => {
      const channels = await bus.open(followers);
      const close = () => {
        followers.detach(channels);
        channels.close();
      };
      try {
        // One that opens too late must not take the followers away from its successor.
        if (!signal.aborted) await followers.attach(channels);
      } catch (error) {
        close();
        throw error;
      }
      return { close };
    },
    { describe: () => ({ devices: followers.count }) },
  );

import t from 'tap';
import type { LiveActor } from '../../../actors/kernel/kernel.ts';
import type { DeviceBus, DeviceChannels } from '../../../actors/sessions/device-channels.ts';
import { createDeviceFollowers, noticeFollower } from '../../../actors/sessions/device-followers.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { settled } from '../../fixtures/settled.ts';

function setUp() {
  const followers = createDeviceFollowers();
  const did: string[] = [];
  const follower = (name: string) => ({
    notice: () => void did.push(`${name} noticed`),
    catchUp: () => void did.push(`${name} caught up`),
  });
  const channels = {
    follow: async (device: string) => void did.push(`follow ${device}`),
    unfollow: async (device: string) => {
      did.push(`unfollow ${device}`);
      throw new Error('gone');
    },
  } as unknown as DeviceChannels;
  return { followers, did, follower, channels };
}
const notice = { type: 'session', fence: 1 } as const;

t.test('who follows before there is a connection is followed with it, and catches up', async (t) => {
  const { followers, did, follower, channels } = setUp();
  await followers.follow('d1', follower('one'));
  t.strictSame(did, []);
  await followers.attach(channels);
  t.strictSame(did.splice(0), ['follow d1', 'one caught up']);
  await followers.follow('d2', follower('two'));
  t.strictSame(did.splice(0), ['follow d2']);
  followers.reconnected();
  t.strictSame(did.splice(0), ['one caught up', 'two caught up']);
  followers.detach(channels);
  await followers.follow('d3', follower('three'));
  t.strictSame(did, []);
  t.equal(followers.count, 3);
});

t.test('the latest follower of a device hears its notices, and only he can end that', async (t) => {
  const { followers, did, follower, channels } = setUp();
  await followers.attach(channels);
  const [first, second] = [follower('first'), follower('second')];
  await followers.follow('d', first);
  await followers.follow('d', second);
  did.length = 0;
  followers.unfollow('d', first);
  followers.notice('d', notice);
  followers.notice('another', notice);
  t.strictSame(did.splice(0), ['second noticed']);
  followers.unfollow('d', second);
  followers.notice('d', notice);
  t.strictSame(did, ['unfollow d']);
  t.equal(followers.count, 0);
});

t.test('a connection that comes up too late, or cannot follow, is closed and takes nobody from another', async (t) => {
  const { followers, did, follower, channels } = setUp();
  const { system } = createTestSystem();
  const opens: ((channels: DeviceChannels) => void)[] = [];
  const open = () => new Promise<DeviceChannels>((resolve) => opens.push(resolve));
  const definition = noticeFollower({ open } as unknown as DeviceBus, followers);
  const spawn = async () => {
    const ref = system.spawn('notices', definition) as unknown as LiveActor;
    await settled();
    return ref;
  };
  const close = (name: string) => ({ close: () => void did.push(`${name} closed`) });
  await followers.follow('d1', follower('one'));

  const deaf = await spawn();
  opens[0]?.({ ...channels, ...close('deaf'), follow: () => Promise.reject(new Error('gone')) });
  await settled();
  t.strictSame(did.splice(0), ['deaf closed']);
  t.equal(deaf.exitReason?.kind, 'crashed');

  (await spawn()).kill('it hangs');
  await spawn();
  opens[2]?.({ ...channels, ...close('living') });
  await settled();
  t.strictSame(did.splice(0), ['follow d1', 'one caught up']);
  opens[1]?.({ ...channels, ...close('late'), follow: async () => void did.push('late follows') });
  await settled();
  await followers.follow('d2', follower('two'));
  t.strictSame(did, ['late closed', 'follow d2']);
});

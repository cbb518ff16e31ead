/** The gateway's peers, in the order of every table. */
import { haproxyDefaults, haproxyTuned } from './haproxy.ts';
import { nginxLua } from './nginx-lua.ts';
import { nginxDefaults, nginxUnbuffered } from './nginx.ts';
import { fastProxy, httpProxy, httpxy, portkey, replyFrom } from './node-proxies.ts';
import type { GatewayPeer } from './peer.ts';

export const PEERS: readonly GatewayPeer[] = [
  ...[nginxUnbuffered, nginxDefaults, nginxLua],
  ...[haproxyTuned, haproxyDefaults],
  ...[httpProxy, httpxy, fastProxy, replyFrom],
  portkey,
];

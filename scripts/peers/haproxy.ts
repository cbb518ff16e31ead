/** HAProxy: told to hold nothing back and to hear of departures, and as it comes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findServer } from './fetched-programs.ts';
import { startPeerProgram, type GatewayPeer } from './peer.ts';

export const haproxyTuned = haproxyPeer('HAProxy', 'option http-no-delay\n  option abortonclose');
export const haproxyDefaults = haproxyPeer('HAProxy, defaults', '');

function haproxyPeer(name: string, options: string): GatewayPeer {
  return {
    name,
    doesWholeJob: false,
    start: async ({ upstreamUrl, cache }) => {
      const haproxy = findServer(cache, 'haproxy');
      if (haproxy === undefined) return { name, missing: 'no haproxy on the PATH, and none was fetched' };
      return startPeerProgram({
        name,
        version: haproxy.version,
        command: (port, folder) => {
          const file = join(folder, 'haproxy.cfg');
          const text = `
global
  maxconn 8192
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 300s
  ${options}
frontend clients
  bind 127.0.0.1:${port}
  default_backend provider
backend provider
  server provider ${new URL(upstreamUrl).host}
`;
          writeFileSync(file, text, { mode: 0o600 });
          return [haproxy.path, '-f', file, '-db'];
        },
      });
    },
  };
}

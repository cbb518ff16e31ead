/** nginx as a plain proxy: with both kinds of buffering off, which is the nearest thing to a proxy that costs nothing, and as it comes. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findServer } from './fetched-programs.ts';
import { startPeerProgram, type GatewayPeer } from './peer.ts';

export const nginxUnbuffered = nginxPeer('nginx', 'proxy_buffering off; proxy_request_buffering off;');
export const nginxDefaults = nginxPeer('nginx, defaults', '');

function nginxPeer(name: string, settings: string): GatewayPeer {
  return {
    name,
    doesWholeJob: false,
    start: async ({ upstreamUrl, cache }) => {
      const nginx = findServer(cache, 'nginx');
      if (nginx === undefined) return { name, missing: 'no nginx on the PATH, and none was fetched' };
      return startPeerProgram({
        name,
        version: nginx.version,
        command: (port, folder) => {
          const location = `proxy_pass http://provider; ${settings}`;
          return [nginx.path, ...configureNginx(folder, { port, upstreamUrl, location })];
        },
      });
    },
  };
}

interface NginxConfiguration {
  readonly port: number;
  readonly upstreamUrl: string;
  /** Directives of the one location. */
  readonly location: string;
  /** Before everything else, and in the block `http`. */
  readonly modules?: string;
  readonly http?: string;
}

/** Writes a configuration into `folder` and returns the arguments that use it. One worker. */
export function configureNginx(folder: string, { port, upstreamUrl, location, ...more }: NginxConfiguration): string[] {
  // Where nginx is started by root its worker is another user, who must reach its temporary files.
  chmodSync(folder, 0o711);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const file = join(folder, 'nginx.conf');
  const text = `
${more.modules ?? ''}
daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log off; client_max_body_size 0; keepalive_requests 1000000;
  ${temporary.join('\n  ')}
  ${more.http ?? ''}
  upstream provider { server ${new URL(upstreamUrl).host}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_http_version 1.1; proxy_set_header Connection "";
      ${location}
    }
  }
}
`;
  writeFileSync(file, text, { mode: 0o600 });
  return ['-c', file, '-p', folder, '-e', 'stderr'];
}

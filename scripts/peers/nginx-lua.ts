/**
 * nginx with Lua doing the whole job of a gateway (`nginx-lua.lua`): what there is to beat. It admits by the hash of the token, puts the
 * provider's key in its place, streams both ways, and adds one event to the streams for each request; it does not read bodies.
 */
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newId } from '../../actors/identity/new-id.ts';
import { findNginxWithLua } from './fetched-programs.ts';
import { configureNginx } from './nginx.ts';
import { startPeerProgram, type GatewayPeer } from './peer.ts';

const NAME = 'nginx + Lua';
const OUR_LUA = dirname(fileURLToPath(import.meta.url));

/** What a careful operator writes: no credential but the provider's own, and nothing held back. */
const LOCATION = `
      access_by_lua_block { job.admit() }
      log_by_lua_block { job.report() }
      proxy_pass http://provider; proxy_buffering off; proxy_request_buffering off;
      proxy_set_header Authorization $provider_authorization;
      proxy_set_header Cookie ""; proxy_set_header X-Api-Key ""; proxy_set_header X-Forwarded-For "";`;

export const nginxLua: GatewayPeer = {
  name: NAME,
  doesWholeJob: true,
  start: async ({ upstreamUrl, token, providerKey, redisUrl, cache }) => {
    const nginx = findNginxWithLua(cache);
    if (nginx === undefined) return { name: NAME, missing: 'nginx and its Lua module were not fetched' };
    const { hostname, port: redisPort, password } = new URL(redisUrl);
    const hash = createHash('sha256').update(token).digest('base64url');
    const http = `
  lua_package_path "${OUR_LUA}/?.lua;${nginx.lua}/?.lua;;"; lua_shared_dict grants 1m; lua_socket_log_errors off;
  map "" $provider_authorization { default "Bearer ${providerKey}"; }
  init_by_lua_block {
    job = require('nginx-lua')
    job.grant('${hash}', '${newId()} ${newId()}')
    job.reportTo('${hostname}', ${redisPort}, '${decodeURIComponent(password)}')
  }`;
    const modules = ['ndk_http_module', 'ngx_http_lua_module'].map(
      (name) => `load_module ${nginx.modules}/${name}.so;`,
    );
    return startPeerProgram({
      name: NAME,
      version: nginx.version,
      command: (port, folder) => [
        nginx.path,
        ...configureNginx(folder, { port, upstreamUrl, http, modules: modules.join('\n'), location: LOCATION }),
      ],
    });
  },
};

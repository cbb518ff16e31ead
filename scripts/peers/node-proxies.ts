/** The proxies of npm: each as its manual sets it up, in `programs/`, in a Node.js of its own. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPackage } from './fetched-programs.ts';
import { startPeerProgram, type GatewayPeer } from './peer.ts';

export const httpProxy = proxyOf('http-proxy', 'http-proxy');
export const httpxy = proxyOf('httpxy', 'httpxy');
export const fastProxy = proxyOf('fast-proxy', 'fast-proxy');
export const replyFrom = proxyOf('@fastify/reply-from', 'reply-from');

function proxyOf(name: Parameters<typeof findPackage>[1], file: string): GatewayPeer {
  return {
    name,
    doesWholeJob: false,
    start: async ({ upstreamUrl, cache }) => {
      const found = findPackage(cache, name);
      if (found === undefined) return { name, missing: 'the package was not fetched' };
      const program = fileURLToPath(new URL(`./programs/${file}.js`, import.meta.url));
      return startPeerProgram({
        name,
        version: found.version,
        environment: () => ({ NODE_ENV: 'production' }),
        command: (port) => [process.execPath, program, upstreamUrl, String(port), found.path],
      });
    },
  };
}

/** Portkey's gateway learns from the headers of each request where to send it, and what it is given as a token is the provider's key. */
export const portkey: GatewayPeer = {
  name: '@portkey-ai/gateway',
  doesWholeJob: false,
  start: async ({ upstreamUrl, cache }) => {
    const { name } = portkey;
    const found = findPackage(cache, '@portkey-ai/gateway');
    if (found === undefined) return { name, missing: 'the package was not fetched' };
    const program = join(found.path, 'node_modules', name, 'build', 'start-server.js');
    return startPeerProgram({
      name,
      version: found.version,
      environment: () => ({ NODE_ENV: 'production' }),
      headers: { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstreamUrl}/v1` },
      command: (port) => [process.execPath, program, `--port=${port}`, '--headless'],
    });
  },
};

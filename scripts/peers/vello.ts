/** Our own gateway, as `vello start` runs it, in the same form as its peers. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { newId } from '../../actors/identity/new-id.ts';
import { findFreePort } from '../../transports/process/free-port.ts';
import { systemClock } from '../../transports/process/system-clock.ts';
import { connectRedis } from '../../transports/redis/connection/connect.ts';
import { createGrantPublisher } from '../../transports/redis/grants/grant-publisher.ts';
import { createPromptShelf } from '../../transports/redis/prompts/prompt-shelf.ts';
import { createJsonLog } from '../../transports/telemetry/json-log.ts';
import { productVersion, projectRoot } from '../project-root.ts';
import { startPeerProgram, type PeerWorld, type RunningPeer } from './peer.ts';

/** A named prompt that it knows. */
export const TESTED_PROMPT = 'brief';

/** Publishes what the api would, and resolves once the gateway is ready. */
export async function startVello({ upstreamUrl, token, providerKey, redisUrl }: PeerWorld): Promise<RunningPeer> {
  const log = createJsonLog({ level: 'silent', write: () => undefined });
  const redis = await connectRedis({ url: redisUrl, use: 'command', name: 'vello-peers', log });
  try {
    await createGrantPublisher(redis, systemClock).issue({
      tokenHash: createHash('sha256').update(token).digest('base64url'),
      userId: newId(),
      deviceId: newId(),
      familyId: newId(),
      expiresAtMs: Date.now() + 86_400_000,
    });
    const prompt = { name: TESTED_PROMPT, version: 1, text: 'Be brief.', madeAtMs: Date.now() };
    await createPromptShelf(redis).put([prompt]);
  } finally {
    redis.disconnect();
  }
  const adminPort = await findFreePort();
  return startPeerProgram({
    name: 'Vello',
    version: productVersion,
    environment: (port, folder) => ({
      VELLO_HOME: join(folder, 'home'),
      VELLO_REDIS_URL: redisUrl,
      VELLO_PROVIDER_URL: upstreamUrl,
      OPENAI_API_KEY: providerKey,
      VELLO_GATEWAY_LISTEN: `127.0.0.1:${port}`,
      VELLO_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      VELLO_GATEWAY_REQUESTS_PER_USER: '10000',
    }),
    command: () => [
      process.execPath,
      join(projectRoot, 'scripts', 'vello.mjs'),
      'start',
      '--roles',
      'gateway',
      '--no-demo',
    ],
    isReady: async () => {
      const answer = await fetch(`http://127.0.0.1:${adminPort}/health/ready`).catch(() => undefined);
      return answer?.ok === true;
    },
  });
}

/** Used service signatures in Redis, one expiring key each, shared by all api processes. */
import type { Redis } from 'ioredis';
import type { SignatureUse, UsedSignatures } from '../../../actors/identity/service-requests.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const script = loadLuaScript(import.meta.url, './used-signatures.lua');
const BEGINNING = 'vello:service-signatures';

/** Resolves when the memory has its beginning, so that the first request is not older than it. */
export async function openUsedSignatures(redis: Redis): Promise<UsedSignatures> {
  await script.run(redis, [BEGINNING, BEGINNING], ['', 0]);
  return {
    use: async (textHash, signedAtMs, lifetimeMs) =>
      // The script returns nothing but these words.
      (await script.run(
        redis,
        [BEGINNING, `vello:service-signature:${textHash}`],
        [signedAtMs, lifetimeMs],
      )) as SignatureUse,
  };
}

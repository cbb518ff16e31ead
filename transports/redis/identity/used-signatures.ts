/** Used service signatures in Redis, one expiring key each, shared by all api processes. */
import type { Redis } from 'ioredis';
import type { SignatureUse, UsedSignatures } from '../../../actors/identity/service-requests.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const useSignature = loadLuaScript(import.meta.url, './used-signatures.lua', 'beginning mark signedAtMs lifetimeMs');
const BEGINNING = 'vello:service-signatures';

/** Resolves when the memory has its beginning, so that the first request is not older than it. */
export async function openUsedSignatures(redis: Redis): Promise<UsedSignatures> {
  await useSignature(redis, { beginning: BEGINNING, mark: BEGINNING, signedAtMs: '', lifetimeMs: 0 });
  return {
    use: async (textHash, signedAtMs, lifetimeMs) =>
      // The script returns nothing but these words.
      (await useSignature(redis, {
        beginning: BEGINNING,
        mark: `vello:service-signature:${textHash}`,
        signedAtMs,
        lifetimeMs,
      })) as SignatureUse,
  };
}

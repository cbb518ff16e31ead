/** Where grants live in Redis. Builds names only; what is written under them is decided by the scripts beside it. */

export interface GrantKeys {
  /** Stream of operations, from which gateways rebuild their tables. */
  readonly stream: string;
  /** Set of user ids whose credits are used up. */
  readonly suspended: string;
  /** Hash of user ids and the requests that their balance allows at once. */
  readonly limited: string;
  /** Prefix of the per-token strings that a miss asks for. */
  readonly tokenPrefix: string;
  token(tokenHash: string): string;
  /** Sorted set of token hashes by expiry, so that a revocation finds its tokens. */
  index(scope: 'user_id' | 'device_id' | 'family_id', id: string): string;
}

export const GRANT_KEYS: GrantKeys = {
  stream: 'vello:grants',
  suspended: 'vello:grants:suspended',
  limited: 'vello:grants:limited',
  tokenPrefix: 'vello:grant:',
  token: (tokenHash) => `vello:grant:${tokenHash}`,
  index: (scope, id) => `vello:grants:${scope}:${id}`,
};

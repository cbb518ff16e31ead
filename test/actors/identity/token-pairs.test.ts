import t from 'tap';
import { openKeyRing } from '../../../actors/identity/key-ring.ts';
import { createTokenPairs } from '../../../actors/identity/token-pairs.ts';
import { createTokens, hashToken } from '../../../actors/identity/tokens.ts';
import type { TokenFamilies } from '../../../actors/identity/token-families.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemoryGrants } from '../../fixtures/memory-grants.ts';
import { createMemorySigningKeys } from '../../fixtures/memory-signing-keys.ts';

const owner = { userId: 'user', deviceId: 'device', familyId: 'family' };

async function issueInto(standing: 'open' | 'superseded' | 'ended') {
  const clock = createManualClock();
  const keys = await openKeyRing({ store: createMemorySigningKeys(), sealingKey: Buffer.alloc(32, 7), clock });
  const tokens = createTokens({ keys, clock });
  const grants = createMemoryGrants();
  const families = { standing: async () => standing } as unknown as TokenFamilies;
  const answer = await createTokenPairs({ tokens, grants, families })
    .issue(owner, 'refresh', 604_800_999)
    .catch((error: unknown) => error as { code: string });
  return { answer, operations: grants.operations, tokens };
}

const revoked = { op: 'revoke', scope: { familyId: 'family' } };

t.test(
  'a pair opens the gateway before its owner learns it, and says how long each lives in whole seconds',
  async (t) => {
    const { answer, operations, tokens } = await issueInto('open');
    if ('code' in answer) throw new Error(answer.code);
    t.match(answer, { expires_in: 900, refresh_token: 'refresh', refresh_expires_in: 604_800 });
    const principal = await tokens.verifyAccess(answer.access_token);
    t.strictSame(operations, [{ op: 'issue', grant: { ...principal, tokenHash: hashToken(answer.access_token) } }]);
  },
);

t.test('a family that ended meanwhile closes the grant again and is refused', async (t) => {
  const { answer, operations } = await issueInto('ended');
  t.match(answer, { code: 'AUTH_REFRESH_INVALID' });
  t.match(operations, [{ op: 'issue' }, revoked]);
});

t.test(
  'a family that a later sign-in superseded closes the grant, and is answered as if it had been in time',
  async (t) => {
    const { answer, operations } = await issueInto('superseded');
    t.match(answer, { refresh_token: 'refresh' });
    t.match(operations, [{ op: 'issue' }, revoked]);
  },
);

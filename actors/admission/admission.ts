/**
 * Decides who may use the gateway (contract §4): the holder of a known token, at the price of one hash and one look into
 * memory. A miss is asked of the store once, within limits per source address. Verifies no signature.
 */
import { hash } from 'node:crypto';
import { LIMITS } from '../../config/limits.ts';
import { VelloError } from '../../config/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Grant, GrantSource } from '../ports/grants.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { GrantTable } from './grant-table.ts';
import { IdTable } from '../bounds/id-table.ts';
import { createRecentMap } from '../bounds/recent-map.ts';
import type { SourceAddress } from '../bounds/source-address.ts';
import { createTokenBuckets } from '../bounds/token-bucket.ts';

/** Whom a request is for. All are absent where admission is open. */
export interface Caller {
  readonly userId?: string;
  readonly deviceId?: string;
  readonly familyId?: string;
  /** What the balance allows to be under way at once; absent where it sets no bound. */
  readonly requestsAtOnce?: number;
}

export interface Admission {
  /**
   * The caller behind an `Authorization` header, at once wherever memory knows the answer; `from` is asked, at once, where it does not.
   * @throws VelloError (or rejects with) `AUTH_TOKEN_MISSING`, `AUTH_TOKEN_UNKNOWN`, `CREDITS_EXHAUSTED`, `RATE_LIMITED`,
   * and `UNAVAILABLE` where the store would have to be asked and is away.
   */
  admit(authorization: string, from: () => SourceAddress): Caller | Promise<Caller>;
  /**
   * One more request of the caller's is under way, until the returned function is called (more than once does no harm). Calls `onRevoked`,
   * once, when what admitted him is revoked. `takesOver`: it is one that he has under way already, which is let go after this.
   * @throws VelloError `RATE_LIMITED` where he has as many at once as he may
   */
  hold(caller: Caller, onRevoked: () => void, takesOver?: boolean): () => void;
}

export interface AdmissionOptions {
  readonly table: GrantTable;
  readonly source: Pick<GrantSource, 'find'>;
  /** Requests of one user under way at once, where his balance allows as many: docs/decisions/what-is-charged.md. */
  readonly requestsPerUser: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export function createAdmission({ table, source, requestsPerUser, clock, metrics }: AdmissionOptions): Admission {
  const limits = LIMITS.admission;
  const asking = new Map<string, Promise<Grant | undefined>>();
  const unknownUntilMs = createRecentMap<number>(limits.unknownTokens);
  const underWay = new IdTable<number>();
  const misses = createTokenBuckets({
    burst: limits.missBurst,
    perSecond: limits.missesPerSecond,
    sources: limits.missSources,
    monotonicMs: () => clock.monotonicMs(),
  });
  const counted = (result: string) => metrics.count('vello_gateway_grant_lookups_total', { result });

  const refuse = (code: 'AUTH_TOKEN_UNKNOWN' | 'AUTH_TOKEN_MISSING', result: string): VelloError => {
    counted(result);
    return new VelloError(code);
  };

  const accept = (grant: Grant, result: 'hit' | 'found'): Caller => {
    if (grant.suspended === true) {
      counted('suspended');
      throw new VelloError('CREDITS_EXHAUSTED');
    }
    counted(result);
    return grant;
  };

  const ask = async (tokenHash: string): Promise<Grant | undefined> => {
    for (;;) {
      const { restrictions } = table;
      const grant = await source.find(tokenHash);
      // The answer and a restriction travel on two connections: one given before the other may arrive after it.
      if (table.restrictions !== restrictions) continue;
      if (grant !== undefined) table.apply({ op: 'issue', grant });
      return table.lookup(tokenHash);
    }
  };

  const askOnce = (tokenHash: string): Promise<Grant | undefined> => {
    const pending = asking.get(tokenHash);
    if (pending !== undefined) return pending;
    const question = ask(tokenHash).finally(() => asking.delete(tokenHash));
    asking.set(tokenHash, question);
    return question;
  };

  const admitMiss = async (tokenHash: string): Promise<Caller> => {
    let grant: Grant | undefined;
    try {
      grant = await askOnce(tokenHash);
    } catch (error) {
      counted('unavailable');
      throw new VelloError('UNAVAILABLE', 'Access tokens cannot be checked right now.', { cause: error });
    }
    if (grant !== undefined) return accept(grant, 'found');
    unknownUntilMs.set(tokenHash, clock.monotonicMs() + limits.unknownForMs);
    throw refuse('AUTH_TOKEN_UNKNOWN', 'unknown');
  };

  /** Of a header as everybody writes it. Its form is looked at where this finds nothing: what opens the gateway has it. */
  const grantOf = (authorization: string): Grant | undefined => {
    if (!authorization.startsWith(BEARER) || authorization.length > BEARER.length + limits.tokenBytes) return undefined;
    return table.lookup(hash('sha256', authorization.slice(BEARER.length), 'base64url'));
  };

  return {
    hold: ({ userId, deviceId, familyId, requestsAtOnce = requestsPerUser }, onRevoked, takesOver = false) => {
      if (userId === undefined || deviceId === undefined || familyId === undefined) return () => undefined;
      const count = underWay.get(userId) ?? 0;
      const most = Math.min(requestsPerUser, requestsAtOnce);
      if (count - (takesOver ? 1 : 0) >= most) {
        const reason = most < requestsPerUser ? ' with the credits that are left' : '';
        const detail = `At most ${most} ${most === 1 ? 'request' : 'requests'} at once${reason}.`;
        throw new VelloError('RATE_LIMITED', detail, { retryAfterMs: 1000 });
      }
      underWay.set(userId, count + 1);
      const forget = table.hold({ userId, deviceId, familyId }, onRevoked);
      let isForgotten = false;
      return () => {
        if (isForgotten) return;
        isForgotten = true;
        forget();
        const left = (underWay.get(userId) ?? 1) - 1;
        if (left > 0) underWay.set(userId, left);
        else underWay.delete(userId);
      };
    },
    admit: (authorization, from) => {
      const known = grantOf(authorization);
      if (known !== undefined) return accept(known, 'hit');
      const token = bearerToken(authorization);
      if (token === undefined) throw refuse('AUTH_TOKEN_MISSING', 'missing');
      if (token.length > limits.tokenBytes) throw refuse('AUTH_TOKEN_UNKNOWN', 'unknown');
      const tokenHash = hash('sha256', token, 'base64url');
      // Known in another spelling of the scheme.
      const grant = table.lookup(tokenHash);
      if (grant !== undefined) return accept(grant, 'hit');
      if ((unknownUntilMs.get(tokenHash) ?? 0) > clock.monotonicMs()) throw refuse('AUTH_TOKEN_UNKNOWN', 'unknown');
      const waitMs = asking.has(tokenHash) ? 0 : misses.take(from());
      if (waitMs > 0) {
        counted('limited');
        throw new VelloError('RATE_LIMITED', 'Too many unknown access tokens from this address.', {
          retryAfterMs: waitMs,
        });
      }
      return admitMiss(tokenHash);
    },
  };
}

/** Lets everybody in, for closed networks; nobody is named in the events, so nobody is billed. */
export const openAdmission: Admission = { admit: () => ({}), hold: () => () => undefined };

const BEARER = 'Bearer ';

function bearerToken(authorization: string): string | undefined {
  return /^bearer +([\w.~+/=-]+) *$/i.exec(authorization)?.[1];
}

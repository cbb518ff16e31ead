/** Tells the failure of a store that is away or overloaded from a fault of ours: the one is worth repeating, the other is not. */

/** Whether a client of PostgreSQL or Redis failed because the server cannot be reached or cannot answer now. */
export function isStoreOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return (typeof code === 'string' && OUTAGE_CODES.has(code)) || REDIS_OUTAGE.test(error.message);
}

const OUTAGE_CODES: ReadonlySet<string> = new Set([
  // The socket.
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  // The PostgreSQL client.
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  // PostgreSQL: our password or role refused, which an operator repairs while we run.
  '28P01',
  '28000',
  // PostgreSQL: shutdown, crash, start-up, too many connections, statement or lock timeout, deadlock.
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '57014',
  '55P03',
  '40P01',
]);

/** ioredis has no codes: a connection that is down, was closed or fell silent, and a server that loads, or has lost its master or cluster. */
const REDIS_OUTAGE =
  /^(Stream isn't writeable|Connection is closed|Command aborted due to connection close|Socket timeout|Command timed out|Reached the max retries|LOADING |MASTERDOWN |CLUSTERDOWN |READONLY |OOM )/;

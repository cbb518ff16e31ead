/** Asks a given Redis whether Vello can work with it, and says what is wrong in words for the person who wrote its URL. */
import { Redis } from 'ioredis';
import { CommandError } from '../command.ts';

const OLDEST_MAJOR = 7;

export interface RedisFacts {
  readonly version: string;
  /** What works but should be changed. */
  readonly warnings: readonly string[];
}

/** @throws CommandError */
export async function checkRedis(url: string): Promise<RedisFacts> {
  const { hostname, port } = new URL(url);
  const where = `${hostname || 'localhost'}:${port || '6379'}`;
  const client = new Redis(url, {
    lazyConnect: true,
    protocol: 2,
    connectTimeout: 5_000,
    commandTimeout: 5_000,
    retryStrategy: () => null,
  });
  let lastError: unknown;
  client.on('error', (error) => {
    lastError = error;
  });
  try {
    await client.connect();
    const information = await client.info();
    const version = /^(?:valkey|redis)_version:(\S+)/m.exec(information)?.[1] ?? '0';
    if (Number.parseInt(version, 10) < OLDEST_MAJOR) {
      throw new CommandError(
        `Redis at ${where} is version ${version}; Vello needs ${OLDEST_MAJOR} or newer. ${OWN_SERVER}`,
      );
    }
    const policy = /^maxmemory_policy:(\S+)/m.exec(information)?.[1];
    const warnings =
      policy === undefined || policy === 'noeviction'
        ? []
        : [
            `Redis at ${where} evicts keys (maxmemory-policy ${policy}): usage events can be lost. Set it to noeviction.`,
          ];
    return { version, warnings };
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`Redis at ${where} ${explain(lastError ?? error)} ${OWN_SERVER}`);
  } finally {
    client.disconnect();
  }
}

const OWN_SERVER = 'Correct VELLO_REDIS_URL, or unset it to let Vello start a Redis of its own.';

function explain(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ECONNREFUSED') return 'cannot be reached: nothing listens there.';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'cannot be reached: there is no such host.';
  if (code === 'ETIMEDOUT' || /timed? ?out/i.test(message)) return 'cannot be reached: no answer.';
  if (/WRONGPASS|NOAUTH|invalid.*password/i.test(message)) return 'refuses the user or password.';
  return `cannot be used: ${message}.`;
}

/** The Log port as JSON lines. Whatever a caller hands over by mistake, no secret reaches the output: names and shapes of secrets are masked. */
import { pino, type Logger } from 'pino';
import type { Log, LogFields } from '../../actors/ports/log.ts';

export interface JsonLogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Takes one line, line break included. */
  readonly write: (line: string) => void;
}

export function createJsonLog({ level, write }: JsonLogOptions): Log {
  return wrap(
    pino(
      {
        level,
        base: null,
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: {
          level: (label) => ({ level: label }),
          log: (fields) => mask(fields, 0) as Record<string, unknown>,
        },
      },
      { write },
    ),
  );
}

const wrap = (logger: Logger): Log => ({
  debug: (message, fields) => logger.debug(fields ?? {}, maskText(message)),
  info: (message, fields) => logger.info(fields ?? {}, maskText(message)),
  warn: (message, fields) => logger.warn(fields ?? {}, maskText(message)),
  error: (message, fields) => logger.error(fields ?? {}, maskText(message)),
  child: (fields: LogFields) => wrap(logger.child(mask(fields, 0) as Record<string, unknown>)),
});

const MASKED = '[masked]';
/** Deeper values are not log fields but somebody's data. */
const DEEPEST = 5;
const SECRET_NAME =
  /authorization|cookie|token(?!_?(?:hash|id|type)$)|secret|password|passphrase|signature|private_?key|api_?key|fingerprint|nonce|^key$|^jwt$|^jwe$/i;
const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic)\s+[\w\-.~+/=]+/gi, `$1 ${MASKED}`],
  [/([?&](?:token|access_token|refresh_token|key|api_key|signature)=)[^&\s"']+/gi, `$1${MASKED}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^/\s@]*@/gi, `$1${MASKED}@`],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, MASKED],
  [/\bsk-[\w-]{8,}/g, MASKED],
];

/** Never throws: what was thrown somewhere may be a revoked proxy or have getters that throw, and its line must not be lost for it. */
function mask(value: unknown, depth: number): unknown {
  try {
    return maskValue(value, depth);
  } catch {
    return '[cannot be shown]';
  }
}

function maskValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return maskText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return maskError(value, depth);
  if (depth >= DEEPEST) return '[deep]';
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((item) => mask(item, depth + 1));
  if (value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, SECRET_NAME.test(name) ? MASKED : mask(inner, depth + 1)]),
  );
}

/** Errors keep their stack, which the log is the only place for; enumerable extras of drivers (a query, a socket) are left out. */
function maskError(error: Error, depth: number): object {
  const { code } = error as Error & { readonly code?: unknown };
  return {
    name: error.name,
    message: maskText(error.message),
    ...(typeof code === 'string' && { code }),
    stack: maskText(error.stack ?? ''),
    ...(error.cause !== undefined && depth < DEEPEST && { cause: mask(error.cause, depth + 1) }),
  };
}

const maskText = (text: string): string =>
  SECRET_SHAPES.reduce((masked, [shape, replacement]) => masked.replace(shape, replacement), text);

/** Text to value, for settings: each parser says what it expected when it cannot. Knows nothing of which settings exist. */

/** A parser returns the value, or throws a `TypeError` whose message completes "expected …". */
export type Parser<T> = (text: string) => T;

export const text: Parser<string> = (value) => value;

export const flag: Parser<boolean> = (value) => {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw new TypeError('true or false');
};

/** Whole number between `least` and `most`, both included. */
export const integer =
  (least: number, most: number): Parser<number> =>
  (value) => {
    const parsed = Number(value);
    if (/^-?\d+$/.test(value) && parsed >= least && parsed <= most) return parsed;
    throw new TypeError(`a whole number from ${least} to ${most}`);
  };

export const choiceOf =
  <T extends string>(...choices: readonly T[]): Parser<T> =>
  (value) => {
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw new TypeError(`one of ${choices.join(', ')}`);
  };

export interface ListenAddress {
  readonly host: string;
  /** 0 asks the system for a free port. */
  readonly port: number;
}

/** `host:port`, IPv6 hosts in brackets. */
export const listenAddress: Parser<ListenAddress> = (value) => {
  const match = /^(?:\[([0-9a-f:]+)\]|([^:\s]+)):(\d{1,5})$/i.exec(value);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new TypeError('host:port, such as 127.0.0.1:8080');
};

/** How a process on the same machine reaches a listener: one that listens everywhere is reached by loopback. */
export function localUrlOf({ host, port }: ListenAddress): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** A URL with one of the given schemes (with the colon). Returned without a trailing slash. */
export const url =
  (...schemes: readonly string[]): Parser<string> =>
  (value) => {
    if (URL.canParse(value) && schemes.includes(new URL(value).protocol)) return value.replace(/\/+$/, '');
    throw new TypeError(`a URL starting with ${schemes.join('// or ')}//`);
  };

/** Origins of web pages as browsers send them, separated by commas, or `*` for every one. */
export const origins: Parser<ReadonlySet<string>> = (value) => {
  const found = value.split(',').map((part) => part.trim());
  // Desktop programs have origins such as tauri://localhost.
  if (value === '*' || found.every((origin) => /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@A-Z]+$/.test(origin)))
    return new Set(found);
  throw new TypeError('* or origins without a path, such as https://app.example.com,tauri://localhost');
};

/** `whisper-1:26214400,*:50000000`: bytes by the name of a model, which may hold colons itself, and for all others under `*`. */
export const bytesByModel: Parser<ReadonlyMap<string, number>> = (value) => {
  const bytes = new Map<string, number>();
  for (const part of value.split(',')) {
    const [, model, digits] = /^(\S+):([1-9]\d{0,14})$/.exec(part.trim()) ?? [];
    if (model === undefined || bytes.has(model)) {
      throw new TypeError('model:bytes pairs, each model once, such as whisper-1:26214400,*:50000000');
    }
    bytes.set(model, Number(digits));
  }
  return bytes;
};

/** `2:<secret>,3:<secret>`: secrets of at least 32 characters by their version, from 2. The empty text is none. */
export const versionedSecrets: Parser<ReadonlyMap<number, string>> = (value) => {
  const secrets = new Map<number, string>();
  for (const part of value === '' ? [] : value.split(',')) {
    const match = /^([2-9]|[1-9]\d{1,3}):(\S{32,})$/.exec(part.trim());
    const version = Number(match?.[1]);
    const secret = match?.[2];
    if (secret === undefined || secrets.has(version)) {
      throw new TypeError('version:secret pairs, each version from 2 once, each secret of 32 characters or more');
    }
    secrets.set(version, secret);
  }
  return secrets;
};

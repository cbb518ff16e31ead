/**
 * The connections to one provider: kept open between calls, the one used last taken first, and none older than what its provider and the
 * limits say. There are as many as calls are under way: what may be under way is bounded at admission.
 */
import type { Clock, Timer } from '../../../actors/ports/clock.ts';
import type { Upstream, UpstreamRequest } from '../../../actors/relay/upstream.ts';
import { LIMITS } from '../../../config/limits.ts';
import { Call } from './call.ts';
import { Connection, type Carried, type ConnectionOwner } from './connection.ts';
import { createDial, type Dial, type DialOptions } from './dial.ts';
import type { HeaderNames } from './header-names.ts';
import { namesToReport } from './response-parser.ts';

export interface UpstreamPool extends Upstream {
  /** Connections by state. */
  stats(): { readonly open: number; readonly busy: number };
  /** Breaks every call that is under way. Resolves when no connection is left. */
  destroy(): Promise<void>;
}

export interface UpstreamPoolOptions extends DialOptions {
  /** Names of the headers of answers that are reported, in lower case. No string is made of the others. */
  readonly headers: readonly string[];
  /** Longest that a connection is kept for the next call; that of the limits where absent. */
  readonly keepAliveMs?: number;
}

/** @param baseUrl origin, and a path prefix where the provider has one. */
export function createUpstreamPool(baseUrl: string, options: UpstreamPoolOptions): UpstreamPool {
  const url = new URL(baseUrl);
  const { host } = url;
  const prefix = url.pathname === '/' ? '' : url.pathname;
  const connections = new Connections(createDial(url, options), options);
  return {
    open: (request, listener) =>
      new Call({
        head: headOf(request, prefix, host),
        isHead: request.method === 'HEAD',
        contentLength: request.contentLength,
        listener,
        board: (boarding) => connections.take(boarding),
      }),
    stats: () => connections.stats(),
    destroy: () => connections.destroy(),
  };
}

function headOf({ method, path, headers, contentLength }: UpstreamRequest, prefix: string, host: string): string {
  let framing = '';
  if (contentLength === undefined) framing = 'transfer-encoding: chunked\r\n';
  else if (method === 'POST') framing = `content-length: ${contentLength}\r\n`;
  return `${method} ${prefix}${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n${headers}${framing}\r\n`;
}

class Connections implements ConnectionOwner {
  readonly #dial: Dial;
  readonly #clock: Clock;
  readonly #names: HeaderNames;
  readonly #keepAliveMs: number;
  readonly #all = new Set<Connection>();
  /** The one that was used last is at the end. */
  readonly #free: Connection[] = [];
  #sweep: Timer | undefined;
  #isDestroyed = false;
  #onEmpty: (() => void) | undefined;

  constructor(dial: Dial, { clock, headers, keepAliveMs = LIMITS.upstream.keepAliveMs }: UpstreamPoolOptions) {
    this.#dial = dial;
    this.#clock = clock;
    this.#names = namesToReport(headers);
    this.#keepAliveMs = keepAliveMs;
  }

  take(call: Carried): Connection | undefined {
    if (this.#isDestroyed) return undefined;
    const nowMs = this.#clock.monotonicMs();
    for (let free = this.#free.pop(); free !== undefined; free = this.#free.pop()) {
      if (free.isUsable && nowMs < free.keptUntilMs) {
        free.carry(call);
        return free;
      }
      free.drop();
    }
    const parts = { dial: this.#dial, owner: this, names: this.#names, bornMs: nowMs };
    const connection = new Connection(parts, call);
    this.#all.add(connection);
    return connection;
  }

  onFree(connection: Connection): void {
    const { keepAliveMarginMs, connectionMs } = LIMITS.upstream;
    const nowMs = this.#clock.monotonicMs();
    const keptMs = Math.min(this.#keepAliveMs, (connection.keepAliveMs ?? Infinity) - keepAliveMarginMs);
    connection.keptUntilMs = Math.min(nowMs + keptMs, connection.bornMs + connectionMs);
    if (this.#isDestroyed || connection.keptUntilMs <= nowMs) {
      connection.drop();
      return;
    }
    this.#free.push(connection);
    this.#sweep ??= this.#clock.setTimer(LIMITS.upstream.sweepMs, () => this.#sweepFree());
  }

  onClosed(connection: Connection): void {
    this.#all.delete(connection);
    const at = this.#free.indexOf(connection);
    if (at !== -1) this.#free.splice(at, 1);
    if (this.#all.size === 0) this.#onEmpty?.();
  }

  stats(): { readonly open: number; readonly busy: number } {
    return { open: this.#all.size, busy: this.#all.size - this.#free.length };
  }

  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    this.#sweep?.cancel();
    for (const connection of this.#all) connection.close(new Error('The gateway stops.'));
    if (this.#all.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }

  /** Closes those that are kept for long enough, before their provider does. */
  #sweepFree(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const connection of this.#free) if (nowMs >= connection.keptUntilMs) connection.drop();
    const stillUsable = this.#free.filter((connection) => connection.isUsable);
    this.#free.splice(0, this.#free.length, ...stillUsable);
    this.#sweep =
      this.#free.length === 0 ? undefined : this.#clock.setTimer(LIMITS.upstream.sweepMs, () => this.#sweepFree());
  }
}

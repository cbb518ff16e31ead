/**
 * Calls one provider through a pool of kept-alive HTTP/1.1 connections (undici), and undoes the content coding of its answers. Timeouts other
 * than that of the connection, and whether a call is repeated, are decided by the exchange.
 */
import { Readable } from 'node:stream';
import { Pool, type Dispatcher } from 'undici';
import type { Upstream, UpstreamCall, UpstreamHeaders, UpstreamListener } from '../../actors/relay/upstream.ts';
import { LIMITS } from '../../config/limits.ts';
import { createContentDecoder, type ContentDecoder } from './content-decoder.ts';

export interface UpstreamPool extends Upstream {
  /** Connections by state. */
  stats(): { readonly open: number; readonly busy: number };
  /** Closes idle connections now and the others as their calls end. */
  close(): Promise<void>;
  /** Breaks every call that is under way. */
  destroy(): Promise<void>;
}

/** @param baseUrl origin, and a path prefix where the provider has one. */
export function createUndiciUpstream(baseUrl: string): UpstreamPool {
  const { origin, pathname } = new URL(baseUrl);
  const prefix = pathname === '/' ? '' : pathname;
  const { connectMs, keepAliveMs } = LIMITS.upstream;
  const pool = new Pool(origin, {
    connect: { timeout: connectMs },
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    // The exchange has its own, which know the phase.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  return {
    open: (request, listener) => {
      const call = new Call(listener);
      const { contentLength } = request;
      const length =
        contentLength === undefined || request.method !== 'POST' ? '' : `content-length: ${contentLength}\r\n`;
      const options: Dispatcher.DispatchOptions = {
        method: request.method,
        path: prefix + request.path,
        headers: namesAndValues(request.headers + length),
        body: contentLength === 0 ? null : call.body,
      };
      try {
        pool.dispatch(options, call);
      } catch (error) {
        queueMicrotask(() =>
          call.onResponseError(undefined, error instanceof Error ? error : new Error(String(error))),
        );
      }
      return call;
    },
    stats: () => ({ open: pool.stats.connected, busy: pool.stats.running }),
    close: () => pool.close(),
    destroy: () => pool.destroy(),
  };
}

function namesAndValues(lines: string): string[] {
  return lines
    .slice(0, -2)
    .split('\r\n')
    .flatMap((line) => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    });
}

class Aborted extends Error {
  constructor() {
    super('The call was aborted.');
  }
}

class Call implements UpstreamCall, Dispatcher.DispatchHandler {
  /** Pulls from the exchange whenever undici has sent what it was given. */
  readonly body: Readable;
  readonly #listener: UpstreamListener;
  #controller: Dispatcher.DispatchController | undefined;
  #decoder: ContentDecoder | undefined;
  /** The provider has answered wholly; some of it may still be in the decoder. */
  #answered = false;
  #over = false;

  constructor(listener: UpstreamListener) {
    this.#listener = listener;
    this.body = new Readable({
      highWaterMark: LIMITS.upstream.bodyBufferBytes,
      read: () => {
        if (!this.#over) listener.wanted();
      },
    });
    // undici reports the same failure through `onResponseError`.
    this.body.on('error', () => undefined);
  }

  write(chunk: Uint8Array): boolean {
    return this.body.push(chunk);
  }

  end(): void {
    this.body.push(null);
  }

  pause(): void {
    this.#controller?.pause();
    this.#decoder?.pause();
  }

  resume(): void {
    this.#controller?.resume();
    this.#decoder?.resume();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#decoder?.destroy();
    if (this.#answered) return;
    const reason = new Aborted();
    this.#controller?.abort(reason);
    // Before the connection is made there is nothing else to abort: undici drops a request whose body has failed.
    this.body.destroy(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Aborted());
  }

  onResponseStart(_controller: unknown, status: number, headers: UpstreamHeaders): void {
    if (this.#over || status < 200) return;
    const { 'content-encoding': coding, 'content-length': length, ...rest } = headers;
    const codings = coding === undefined || typeof coding === 'string' ? coding : coding.join(', ');
    if (codings === undefined || /^\s*(identity)?\s*$/i.test(codings)) {
      this.#listener.head(status, length === undefined ? rest : { ...rest, 'content-length': length });
      return;
    }
    this.#decoder = createContentDecoder(codings, {
      data: (chunk) => this.#listener.data(chunk),
      end: () => this.#end(),
      failed: (error) => {
        this.abort();
        this.#listener.failed({ reason: 'broken', error });
      },
    });
    this.#listener.head(status, rest);
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#over) return;
    if (this.#decoder === undefined) this.#listener.data(chunk);
    else this.#decoder.push(chunk);
  }

  onResponseEnd(): void {
    this.#answered = true;
    if (this.#decoder === undefined) this.#end();
    else this.#decoder.end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#listener.end();
  }

  onResponseError(_controller: unknown, error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#decoder?.destroy();
    this.#listener.failed({ reason: this.#controller === undefined ? 'connect' : 'broken', error });
  }
}

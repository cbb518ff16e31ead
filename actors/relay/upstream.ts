/** One HTTP call to an AI provider, streamed both ways. Neither the caller nor the implementation holds a body whole. */

export interface UpstreamRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** Path below the provider's base address, such as `/v1/models`. */
  readonly path: string;
  /**
   * Finished lines, `name: value\r\n` each, a character a byte (latin1). Without `Host`, `Connection` and framing headers: those follow from
   * the provider's address and from `contentLength`.
   */
  readonly headers: string;
  /** Bytes of the body; 0 for none, as of every GET and HEAD; `undefined` where only the client will know. */
  readonly contentLength: number | undefined;
}

/** Header values by lower-case name. */
export type UpstreamHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface UpstreamFailure {
  /** `connect`: no byte of the request can have been seen. `broken`: the connection ended, or what came over it was not HTTP. */
  readonly reason: 'connect' | 'broken';
  /** For logs; never for clients, because it may name addresses. */
  readonly error: Error;
}

/** Calls come in this order, none before `start`, and after `end`, `failed` or an `abort` none comes any more. */
export interface UpstreamListener {
  /** The body is taken (again): after the connection is made, and after a `write` that returned false. */
  wanted(): void;
  /** The final status; interim ones (1xx) are not reported. Headers are those of the answer without its content coding. */
  head(status: number, headers: UpstreamHeaders): void;
  /** The bytes are the listener's until it returns, also to change: they are the connection's, which reads the next ones into the same place. */
  data(chunk: Buffer): void;
  /** The answer is complete. */
  end(): void;
  failed(failure: UpstreamFailure): void;
}

export interface UpstreamCall {
  /** Begins: the listener may hear of it before this returns. Once. */
  start(): void;
  /** Hands over body bytes, which are the caller's again when it returns; false means to wait for `wanted`. Only after the first `wanted`. */
  write(chunk: Uint8Array, isLast: boolean): boolean;
  /** The body is complete, where no `write` has said so. */
  end(): void;
  /** Stops and restarts the answer's flow. What has arrived by then comes behind `resume`. */
  pause(): void;
  resume(): void;
  /** Ends the call at once, in whatever phase; the connection is closed. */
  abort(): void;
}

export interface Upstream {
  /** Nothing happens before the call is started. */
  open(request: UpstreamRequest, listener: UpstreamListener): UpstreamCall;
}

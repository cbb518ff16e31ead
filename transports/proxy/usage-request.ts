/**
 * Sees to it that the provider counts a streamed chat whose client does not ask for it: holds a body of common size until it is whole, and
 * changes a larger one while it passes. What is changed is decided in `usage-option.ts`.
 */
import { askForUsage, fillReserve, OPTION_BYTES, type BodyChange } from '../../actors/metering/usage-option.ts';
import type { Provider } from '../../actors/relay/gateway-config.ts';
import type { JsonShape } from '../../actors/metering/json-body-scanner.ts';
import { LIMITS } from '../../config/limits.ts';
import type { RelayRequest } from './relay-request.ts';
import type { Upload } from './upload.ts';

export interface UsageRequest {
  /** More of the body must arrive before the call may begin. */
  mustWait(): boolean;
  /** The call begins. Returns by how many bytes the body will be longer than the client's. */
  begin(): number;
  /** The newest bytes have been read and are not sent yet. */
  arrived(): void;
  /** The provider was asked in the client's place: its account is not for the client. */
  readonly isOurs: boolean;
}

/** For requests in which nothing is to be asked. */
const asksNothing: UsageRequest = {
  mustWait: () => false,
  begin: () => 0,
  arrived: () => undefined,
  isOurs: false,
};

export function usageRequestFor(
  { route, framing }: RelayRequest,
  { countsStreams }: Pick<Provider, 'countsStreams'>,
  upload: Upload,
  shape: JsonShape | undefined,
): UsageRequest {
  const isChat = route.upstreamPath === '/v1/chat/completions';
  if (!isChat || countsStreams === false || shape === undefined) return asksNothing;
  return new StreamUsage(upload, shape, !framing.chunked);
}

class StreamUsage implements UsageRequest {
  isOurs = false;
  readonly #upload: Upload;
  readonly #shape: JsonShape;
  readonly #hasLength: boolean;
  #hasReserve = false;

  constructor(upload: Upload, shape: JsonShape, hasLength: boolean) {
    this.#upload = upload;
    this.#shape = shape;
    this.#hasLength = hasLength;
  }

  mustWait(): boolean {
    return !this.#upload.complete && this.#upload.receivedBytes < LIMITS.relay.uploadBufferBytes;
  }

  begin(): number {
    if (this.#upload.complete) {
      const question = askForUsage(Buffer.concat(this.#upload.queued()), this.#shape);
      this.isOurs = question !== undefined;
      return question === undefined ? 0 : this.#change(question);
    }
    this.#hasReserve = true;
    this.arrived();
    return OPTION_BYTES;
  }

  arrived(): void {
    if (!this.#hasReserve || (this.#shape.closedAt() === undefined && !this.#upload.complete)) return;
    this.#hasReserve = false;
    const filled = fillReserve(this.#shape, this.#upload.receivedBytes);
    this.isOurs = filled.asks;
    // Blanks keep a promise of length, which a chunked body does not make.
    if (filled.asks || this.#hasLength) this.#change(filled);
  }

  #change({ start, end, bytes }: BodyChange): number {
    this.#upload.splice(start, end, bytes);
    return bytes.length - (end - start);
  }
}

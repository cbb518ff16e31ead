/** Judges what has waited too long in an exchange: the whole, the client's upload, or the provider. */
import { VelloError } from '../../config/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { ProviderLeg } from './provider-leg.ts';
import type { Upload } from './upload.ts';

export interface Waiting {
  readonly nowMs: number;
  readonly startedMs: number;
  readonly upload: Pick<Upload, 'complete' | 'lastArrivalMs' | 'paused' | 'poll' | 'receivedBytes'>;
  readonly leg: ProviderLeg | undefined;
  /** The rest of the upload still matters: the client is there, and the provider has not answered. */
  readonly awaitsUpload: boolean;
}

/** Returns why the exchange must end, or undefined. */
export function findOverdue({ nowMs, startedMs, upload, leg, awaitsUpload }: Waiting): VelloError | undefined {
  const { relay } = LIMITS;
  const ageMs = nowMs - startedMs;
  if (ageMs > relay.totalMs) return new VelloError('UPSTREAM_TIMEOUT', 'The request took too long.');
  if (!upload.complete && awaitsUpload) {
    upload.poll(nowMs);
    const idleMs = nowMs - upload.lastArrivalMs;
    const isTooSlow =
      ageMs > relay.uploadWindowMs && upload.receivedBytes < (ageMs / 1000) * relay.uploadBytesPerSecond;
    // A client that we keep waiting is not slow.
    if (!upload.paused && (idleMs > relay.uploadIdleMs || isTooSlow)) return new VelloError('UPLOAD_TOO_SLOW');
  }
  return leg?.isOverdue(nowMs) === true ? new VelloError('UPSTREAM_TIMEOUT') : undefined;
}

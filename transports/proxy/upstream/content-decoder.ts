/**
 * Undoes the content coding of an answer (RFC 9110 §8.4) that came compressed although nothing of the kind was asked for. Coded bytes could
 * neither be metered nor searched for the provider's key. Holds what is under way and no more; an answer that unfolds beyond measure fails.
 */
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';

export interface ContentDecoder {
  /** False means to wait for `wanted`: the rest would only wait here. */
  push(chunk: Buffer): boolean;
  /** The coded answer is complete. */
  end(): void;
  pause(): void;
  resume(): void;
  /** Nothing is reported any more. */
  destroy(): void;
}

/** Calls come in this order, `wanted` in between; after `end` or `failed` none comes any more. */
export interface DecodedListener {
  /** What was pushed is being decoded. */
  wanted(): void;
  data(chunk: Buffer): void;
  end(): void;
  failed(error: Error): void;
}

/** Text as repetitive as an event stream's unfolds 50 times at most, a bomb 1,000 times. */
const MOST_RATIO = 200;
/** The first bytes may unfold to anything. */
const ALLOWANCE_BYTES = 1024 * 1024;

/** @param coding value of `Content-Encoding`, which may be one that nobody here knows: then the answer fails. */
export function createContentDecoder(coding: string, listener: DecodedListener): ContentDecoder {
  let stream: Transform | undefined;
  let over = false;
  let codedBytes = 0;
  let decodedBytes = 0;

  const settle = (report: () => void) => {
    if (over) return;
    over = true;
    stream?.destroy();
    report();
  };
  const fail = (error: Error) => settle(() => listener.failed(error));

  const open = (first: Buffer): Transform | undefined => {
    const opened = decoderFor(coding, first);
    opened
      ?.on('data', (chunk: Buffer) => {
        decodedBytes += chunk.length;
        if (decodedBytes > ALLOWANCE_BYTES + codedBytes * MOST_RATIO)
          fail(new Error('The answer unfolds beyond measure.'));
        else if (!over) listener.data(chunk);
      })
      .on('drain', () => {
        if (!over) listener.wanted();
      })
      .once('end', () => settle(() => listener.end()))
      .on('error', fail);
    return opened;
  };

  return {
    push: (chunk) => {
      if (over || chunk.length === 0) return true;
      codedBytes += chunk.length;
      stream ??= open(chunk);
      // The chunk is the caller's again before it is read.
      if (stream !== undefined) return stream.write(Buffer.from(chunk));
      fail(new Error('The answer has a content coding that was not asked for.'));
      return true;
    },
    end: () => {
      if (stream === undefined) settle(() => listener.end());
      else stream.end();
    },
    pause: () => void stream?.pause(),
    resume: () => void stream?.resume(),
    destroy: () => settle(() => undefined),
  };
}

function decoderFor(coding: string, first: Buffer): Transform | undefined {
  switch (coding.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'br':
      return createBrotliDecompress();
    case 'deflate':
      // Some send it without the zlib header, whose first byte ends with an 8 (RFC 1950 §2.2).
      return ((first[0] ?? 0) & 0x0f) === 8 ? createInflate() : createInflateRaw();
    default:
      return undefined;
  }
}

/** Turns a desktop's frames into the one format that every provider takes: PCM at 24 kHz. What is that already passes as it is. */
import { OpusDecoder } from 'opus-decoder';
import type { LiveFormat } from '../../actors/live/live-protocol.ts';
import { fromPcm16, toPcm16 } from '../speech/codecs/pcm16.ts';
import { createResampler } from '../speech/codecs/resample.ts';

export const PROVIDER_RATE = 24_000;

export interface PcmFeed {
  /** The samples that the frame completes; undefined where it cannot be read. */
  push(frame: Uint8Array): Uint8Array | undefined;
  close(): void;
}

/** Opus costs some 25 µs a packet of 20 ms, another rate than the provider's 50 to 90 µs. */
export async function createPcmFeed(format: LiveFormat): Promise<PcmFeed> {
  if (format.codec === 'opus') {
    const decoder = new OpusDecoder({ sampleRate: PROVIDER_RATE, channels: 1 });
    await decoder.ready;
    return {
      push: (packet) => {
        const { channelData, errors } = decoder.decodeFrame(packet);
        const [samples] = channelData;
        return errors.length > 0 || samples === undefined ? undefined : toPcm16(samples);
      },
      close: () => decoder.free(),
    };
  }
  if (format.rate === PROVIDER_RATE) return { push: (frame) => frame, close: () => undefined };
  const resampler = createResampler(format.rate, PROVIDER_RATE);
  return { push: (frame) => toPcm16(resampler.push(fromPcm16(frame))), close: () => undefined };
}

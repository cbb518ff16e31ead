/** FLAC frames that lie in the packets of another container (RFC 9639 §10) to samples. */
import { flacFrameHeaderAt, flacStreamInfoOf } from '../../../actors/audio/formats/flac.ts';
import { decodeFlacFrame } from './decode-flac-frame.ts';
import type { OpenPacketDecoder } from './packet-decoder.ts';

export const openFlac: OpenPacketDecoder = async ([head]) => {
  const bytes = Buffer.from(head ?? []);
  const infoAt = bytes.indexOf('fLaC') + 8;
  if (infoAt < 8 || bytes.length < infoAt + 18) return undefined;
  const { sampleRate, bitsPerSample } = flacStreamInfoOf(bytes.subarray(infoAt));
  return {
    sampleRate,
    decode: async (packet) => {
      const header = flacFrameHeaderAt(packet, 0);
      const isOurs = header !== undefined && (header.sampleRate ?? sampleRate) === sampleRate;
      return isOurs ? decodeFlacFrame(packet, 0, header, header.bitsPerSample ?? bitsPerSample)?.samples : undefined;
    },
    lostSeconds: (packet) => (flacFrameHeaderAt(packet, 0)?.blockSize ?? 0) / sampleRate,
    close: () => undefined,
  };
};

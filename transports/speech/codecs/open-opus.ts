/** Opus packets (RFC 6716, RFC 7845) to samples, by libopus in WebAssembly. */
import { OpusDecoder } from 'opus-decoder';
import { opusPacketSeconds } from '../../../actors/audio/formats/opus.ts';
import { RECOGNITION_RATE } from './audio-block.ts';
import { mixedToOne, type OpenPacketDecoder } from './packet-decoder.ts';

/** What the decoder's input holds for each channel; no encoder writes more. */
const MOST_PACKET_BYTES = 3840;

/** libopus decodes to the rate that is wanted, and mixes stereo to one channel itself. */
export const openOpus: OpenPacketDecoder = async ([head]) => {
  const layout = head === undefined ? undefined : layoutOf(Buffer.from(head));
  if (layout === undefined) return undefined;
  const { gain, channels, preSkip } = layout;
  const decoder = new OpusDecoder({ sampleRate: RECOGNITION_RATE, ...layout.options });
  await decoder.ready;
  let toSkip = Math.round((preSkip * RECOGNITION_RATE) / 48_000);
  return {
    sampleRate: RECOGNITION_RATE,
    decode: async (packet) => {
      if (packet.length === 0 || packet.length > MOST_PACKET_BYTES * channels) return undefined;
      const { channelData, samplesDecoded, errors } = decoder.decodeFrame(packet);
      if (errors.length > 0) return undefined;
      const samples = mixedToOne(channelData, samplesDecoded, gain);
      const skipped = Math.min(toSkip, samples.length);
      toSkip -= skipped;
      return samples.subarray(skipped);
    },
    lostSeconds: (packet) => opusPacketSeconds(packet[0] ?? 0, packet[1] ?? 0),
    close: () => decoder.free(),
  };
};

function layoutOf(head: Buffer) {
  if (head.length < 19 || head.toString('latin1', 0, 8) !== 'OpusHead') return undefined;
  const channels = head.readUInt8(9);
  const family = head.readUInt8(18);
  // Loud enough to be clipped, or too quiet to be heard, is no gain that anybody sets for speech.
  const gain = 10 ** (Math.max(-40, Math.min(40, head.readInt16LE(16) / 256)) / 20);
  const shape = { gain, preSkip: head.readUInt16LE(10) };
  if (family === 0) {
    return channels === 1 || channels === 2 ? { ...shape, channels: 1, options: { channels: 1 } } : undefined;
  }
  if (family !== 1 || channels < 1 || channels > 8 || head.length < 21 + channels) return undefined;
  const [streamCount, coupledStreamCount] = [head.readUInt8(19), head.readUInt8(20)];
  const channelMappingTable = [...head.subarray(21, 21 + channels)];
  const isPossible =
    streamCount > 0 &&
    coupledStreamCount <= streamCount &&
    streamCount + coupledStreamCount <= channels &&
    channelMappingTable.every((index) => index === 255 || index < streamCount + coupledStreamCount);
  if (!isPossible) return undefined;
  return { ...shape, channels, options: { channels, streamCount, coupledStreamCount, channelMappingTable } };
}

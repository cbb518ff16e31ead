/** Vorbis packets (Vorbis I) to samples, by libvorbis in WebAssembly. */
import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import { mixedToOne, type OpenPacketDecoder } from './packet-decoder.ts';

type OggPage = Parameters<OggVorbisDecoder['decodeOggPages']>[0][number];

/** What the decoder's input holds. */
const MOST_PACKET_BYTES = 128 * 1024;

/** The decoder takes parsed Ogg pages, of which it reads these members; the packets come from any container. */
const page = (data: Uint8Array, packets: readonly Uint8Array[], vorbisSetup?: Uint8Array): OggPage =>
  ({ data, codecFrames: packets.map((packet) => ({ data: packet, header: { vorbisSetup } })) }) as unknown as OggPage;

export const openVorbis: OpenPacketDecoder = async ([head, , setup]) => {
  const id = Buffer.from(head ?? []);
  if (id.length < 30 || id.length > 256 || id.toString('latin1', 0, 7) !== '\x01vorbis') return undefined;
  if (setup === undefined || setup.length > MOST_PACKET_BYTES || setup[0] !== 5) return undefined;
  const sampleRate = id.readUInt32LE(12);
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  await decoder.decodeOggPages([page(id, [new Uint8Array(0)], setup)]);
  return {
    sampleRate,
    decode: async (packet) => {
      if (packet.length === 0 || packet.length > MOST_PACKET_BYTES) return undefined;
      const { channelData, samplesDecoded } = await decoder.decodeOggPages([page(new Uint8Array(0), [packet])]);
      return mixedToOne(channelData, samplesDecoded);
    },
    lostSeconds: () => 0,
    close: () => decoder.free(),
  };
};

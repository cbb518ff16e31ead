/** Decodes the packets of a container with the decoder of their codec, in blocks, and says what could not be read. */
import { VelloError } from '../../../config/errors.ts';
import type { AudioBlock } from './audio-block.ts';
import { openAac } from './aac/open-aac.ts';
import { openFlac } from './open-flac.ts';
import { openOpus } from './open-opus.ts';
import { openVorbis } from './open-vorbis.ts';
import type { OpenPacketDecoder, PacketDecoder } from './packet-decoder.ts';
import type { Codec, Packet, StreamEvent, StreamStart } from '../containers/packets.ts';

const openers: Readonly<Record<Codec, OpenPacketDecoder>> = {
  opus: openOpus,
  vorbis: openVorbis,
  flac: openFlac,
  aac: openAac,
};

/** Packets last milliseconds; what follows a block works better on more. */
const BLOCK_SECONDS = 0.5;
/** What may be decoded in vain: tables that point at the same bytes again and again would take hours otherwise. */
const MOST_VAIN_PACKETS = 20_000;

/**
 * The recording in blocks. Missing and damaged packets are left out and counted in `lostSamples`.
 * @throws VelloError `AUDIO_NOT_RECOGNISED` where a stream's head is none, where its decoder gives up, and where not one packet
 * can be decoded
 */
export async function* decodePackets(events: Iterable<StreamEvent>): AsyncGenerator<AudioBlock> {
  let stream: OpenStream | undefined;
  let decodedSamples = 0;
  let vainPackets = 0;
  try {
    for (const event of events) {
      if (event.kind === 'stream') {
        if (stream !== undefined) yield stream.take();
        stream?.decoder.close();
        stream = undefined;
        stream = await openStream(event);
        continue;
      }
      if (stream === undefined) continue;
      const samples = await guarded(stream.decoder.decode(event.bytes));
      stream.add(event, samples);
      decodedSamples += samples?.length ?? 0;
      if (samples === undefined && ++vainPackets > MOST_VAIN_PACKETS) throw unreadable('too much of it is damaged');
      if (stream.isFull()) yield stream.take();
    }
    if (stream !== undefined) yield stream.take();
  } finally {
    stream?.decoder.close();
  }
  if (decodedSamples === 0) throw unreadable('it holds no intact packet');
}

type OpenStream = ReturnType<typeof blocksOf> & { readonly decoder: PacketDecoder };

async function openStream({ codec, headers }: StreamStart): Promise<OpenStream> {
  const decoder = await guarded(openers[codec](headers));
  if (decoder === undefined) throw unreadable(`the head of its ${codec} stream is damaged or of an unknown kind`);
  return { decoder, ...blocksOf(decoder) };
}

/** Gathers packets to blocks, and watches the stream's clock for what is missing. */
function blocksOf(decoder: PacketDecoder) {
  const { sampleRate } = decoder;
  let held: Float32Array[] = [];
  let heldSamples = 0;
  let lostSeconds = 0;
  let positionSeconds = 0;
  let isAfterGap = false;
  return {
    add(packet: Packet, samples: Float32Array | undefined): void {
      isAfterGap ||= packet.isAfterGap;
      if (isAfterGap && packet.startSeconds !== undefined) missUpTo(packet.startSeconds);
      const seconds = samples === undefined ? decoder.lostSeconds(packet.bytes) : samples.length / sampleRate;
      positionSeconds += seconds;
      if (samples === undefined) lostSeconds += seconds;
      else {
        held.push(samples);
        heldSamples += samples.length;
      }
      if (isAfterGap && packet.endSeconds !== undefined) missUpTo(packet.endSeconds);
    },
    isFull: () => heldSamples >= BLOCK_SECONDS * sampleRate,
    take(): AudioBlock {
      const samples = new Float32Array(heldSamples);
      let at = 0;
      for (const piece of held) {
        samples.set(piece, at);
        at += piece.length;
      }
      const block = { samples, sampleRate, lostSamples: Math.round(lostSeconds * sampleRate) };
      [held, heldSamples, lostSeconds] = [[], 0, 0];
      return block;
    },
  };

  function missUpTo(seconds: number): void {
    lostSeconds += Math.max(0, seconds - positionSeconds);
    positionSeconds = Math.max(seconds, positionSeconds);
    isAfterGap = false;
  }
}

/** WebAssembly traps on what its authors did not foresee; the file is at fault, and the decoder is given up with it. */
async function guarded<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new VelloError('AUDIO_NOT_RECOGNISED', 'The file cannot be read: its sound is damaged.', { cause: error });
  }
}

const unreadable = (why: string): VelloError =>
  new VelloError('AUDIO_NOT_RECOGNISED', `The file cannot be read: ${why}.`);

/** What the containers' readers hand to the codecs' decoders: streams, and the packets of one after another. */

export type Codec = 'opus' | 'vorbis' | 'flac' | 'aac';

/** The packets behind it, up to the next one, are of this kind. */
export interface StreamStart {
  readonly kind: 'stream';
  readonly codec: Codec;
  /** What the codec needs to know first, as its Ogg mapping writes it: one packet, for Vorbis three; of AAC the `AudioSpecificConfig`. */
  readonly headers: readonly Uint8Array[];
}

export interface Packet {
  readonly kind: 'packet';
  readonly bytes: Uint8Array;
  /** Whether packets before this one are damaged or missing. */
  readonly isAfterGap: boolean;
  /** When it begins, or ends, on the stream's own clock; undefined where the container does not say. */
  readonly startSeconds?: number;
  readonly endSeconds?: number;
}

export type StreamEvent = StreamStart | Packet;

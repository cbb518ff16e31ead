/** What each codec's decoder offers to `decodePackets`. */

export interface PacketDecoder {
  /** Hz of what it returns. */
  readonly sampleRate: number;
  /**
   * The packet's samples, all channels mixed to one; none for a packet that only prepares the next.
   * Undefined where the packet is damaged.
   */
  decode(packet: Uint8Array): Promise<Float32Array | undefined>;
  /** How long a damaged packet would have sounded; 0 where it cannot be told. */
  lostSeconds(packet: Uint8Array): number;
  close(): void;
}

/** Opens a decoder for the stream with these headers. Undefined: they are none. */
export type OpenPacketDecoder = (headers: readonly Uint8Array[]) => Promise<PacketDecoder | undefined>;

/** The mean of the channels. */
export function mixedToOne(channels: readonly Float32Array[], length: number, gain = 1): Float32Array {
  const mixed = new Float32Array(length);
  const scale = gain / Math.max(1, channels.length);
  for (const channel of channels) {
    for (let index = 0; index < length; index++) mixed[index] = (mixed[index] ?? 0) + (channel[index] ?? 0) * scale;
  }
  return mixed;
}

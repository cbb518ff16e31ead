/** Reads numbers of any width out of bytes, highest bit first. Past the end it reads zeros and says so. */

export class BitReader {
  private readonly bytes: Uint8Array;
  private at: number;

  constructor(bytes: Uint8Array, fromByte: number) {
    this.bytes = bytes;
    this.at = fromByte * 8;
  }

  /** Whether more was read than there is. */
  get isPastEnd(): boolean {
    return this.at > this.bytes.length * 8;
  }

  /** The next byte that no bit was read of. */
  get nextByte(): number {
    return Math.ceil(this.at / 8);
  }

  /** Steps to the next whole byte. */
  align(): void {
    this.at = this.nextByte * 8;
  }

  /** An unsigned number of up to 33 bits. */
  unsigned(bits: number): number {
    let value = 0;
    for (let left = bits; left > 0;) {
      const available = 8 - (this.at & 7);
      const taken = Math.min(available, left);
      const byte = this.bytes[this.at >>> 3] ?? 0;
      value = value * (1 << taken) + ((byte >>> (available - taken)) & ((1 << taken) - 1));
      this.at += taken;
      left -= taken;
    }
    return value;
  }

  /** A number in two's complement. */
  signed(bits: number): number {
    const value = this.unsigned(bits);
    return bits > 0 && value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
  }

  /** Zeros before the next one, which is read too. */
  zeros(): number {
    const start = this.at;
    const end = this.bytes.length * 8;
    while (this.at < end) {
      const rest = ((this.bytes[this.at >>> 3] ?? 0) << (24 + (this.at & 7))) >>> 0;
      if (rest !== 0) {
        this.at += Math.clz32(rest) + 1;
        return this.at - 1 - start;
      }
      this.at = ((this.at >>> 3) + 1) * 8;
    }
    this.at = end + 1;
    return 0;
  }
}

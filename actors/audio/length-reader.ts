/** What every container's reader of lengths offers. Lengths follow from the frames and bytes that passed, not from what a header claims. */
import type { ByteProgram } from './formats/byte-program.ts';

export interface LengthReader {
  /** Reads the file from behind its signature on, which has been seen by the caller. */
  readonly program: ByteProgram;
  /** Seconds of audio in what has passed; 0 where nothing recognisable has. `fileBytes` counts from the file's first byte. */
  seconds(fileBytes: number): number;
}

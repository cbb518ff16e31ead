/**
 * A file that grows at its end, for its owner only. What `append` has written is in the page cache, where the death of this process cannot
 * take it. Synchronous on purpose: a write into the page cache costs less than handing it to another thread, and answers wait for it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

const NEWLINE = 0x0a;
const READ_BYTES = 1024 * 1024;
/** Shared by all files: filled and written in one go. */
const scratch = Buffer.allocUnsafe(64 * 1024);
/** UTF-8 needs at most so many bytes for a unit of a string. */
const MOST_BYTES_PER_UNIT = 3;

export class AppendFile {
  readonly #path: string;
  #file: number;
  #size: number;

  /** Opens the file or makes it. @throws where the disk does not allow it */
  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#size = fstatSync(this.#file).size;
  }

  get size(): number {
    return this.#size;
  }

  /** Writes all of it or nothing. @throws where the disk does not take it */
  append(added: string | Buffer): void {
    const fits = typeof added === 'string' && added.length * MOST_BYTES_PER_UNIT <= scratch.length;
    const bytes = fits ? scratch : Buffer.from(added);
    const length = fits ? scratch.write(added) : bytes.length;
    try {
      this.#write(bytes, length, this.#size);
    } catch (error) {
      // Half of a line must not stand before the next one; what cannot be taken back is overwritten by it.
      ftruncateSync(this.#file, this.#size);
      throw error;
    }
    this.#size += length;
  }

  /** Puts `text` where other text of the same length stands. */
  overwrite(text: string, position: number): void {
    const bytes = Buffer.from(text);
    this.#write(bytes, bytes.length, position);
    this.#size = Math.max(this.#size, position + bytes.length);
  }

  truncate(size: number): void {
    ftruncateSync(this.#file, size);
    this.#size = size;
  }

  /**
   * Leaves nothing but `content` in it. Whoever opens it meanwhile, or after a crash, finds all of the old or all of the new.
   * @throws where the disk does not take it: the old stays
   */
  replace(content: string | Buffer): void {
    const path = `${this.#path}.new`;
    rmSync(path, { force: true });
    const replacement = new AppendFile(path);
    try {
      replacement.append(content);
      renameSync(path, this.#path);
    } catch (error) {
      replacement.close();
      rmSync(path, { force: true });
      throw error;
    }
    const replaced = this.#file;
    this.#file = replacement.#file;
    this.#size = replacement.#size;
    closeSync(replaced);
  }

  read(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(this.#file, bytes, 0, length, position));
  }

  /** The whole lines from `from` on, without their ends, and where they end; what follows the last one is left out. */
  *lines(from: number): Generator<{ readonly line: Buffer; readonly end: number }> {
    let position = from;
    let length = READ_BYTES;
    while (position < this.#size) {
      const bytes = this.read(position, Math.min(length, this.#size - position));
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        yield { line: bytes.subarray(start, end), end: position + end + 1 };
        start = end + 1;
      }
      if (start === 0 && bytes.length < length) return;
      // A single line larger than one read: texts of hours-long recordings.
      length = start === 0 ? length * 2 : READ_BYTES;
      position += start;
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(bytes: Buffer, length: number, position: number): void {
    for (let at = 0; at < length;) at += writeSync(this.#file, bytes, at, length - at, position + at);
  }
}

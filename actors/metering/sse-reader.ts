/** Cuts an event stream (WHATWG HTML, "Server-sent events") into the data of its events, from pieces of any size. */

export interface SseReader {
  push(chunk: Uint8Array): void;
  /** Whether the bytes so far end with a whole event. */
  betweenEvents(): boolean;
}

const LF = 0x0a;
const CR = 0x0d;

/** `onData` gets each event's data lines, joined; an event larger than `eventBytes` is passed over. */
export function createSseReader(eventBytes: number, onData: (data: string) => void): SseReader {
  let line: Buffer[] = [];
  let data: string[] = [];
  let heldBytes = 0;
  let tooLarge = false;
  let afterCr = false;
  let inEvent = false;

  const endLine = () => {
    const text = Buffer.concat(line).toString('utf8');
    const isEmpty = line.length === 0;
    line = [];
    if (!isEmpty) {
      // A byte order mark may open the stream; it is not part of the first field's name.
      const field = text.startsWith('\ufeff') ? text.slice(1) : text;
      if (field.startsWith('data:')) data.push(field.slice(field[5] === ' ' ? 6 : 5));
      return;
    }
    if (!tooLarge && data.length > 0) onData(data.join('\n'));
    data = [];
    heldBytes = 0;
    tooLarge = false;
    inEvent = false;
  };

  const hold = (part: Buffer) => {
    if (part.length === 0) return;
    inEvent = true;
    heldBytes += part.length;
    if (heldBytes > eventBytes) tooLarge = true;
    if (!tooLarge) line.push(part);
    // A line that is passed over must still not look like the empty one that ends an event.
    else if (line.length === 0) line.push(Buffer.from(':'));
  };

  return {
    push: (chunk) => {
      // Copied once: lines are kept beyond this call, the chunk's memory is not ours.
      const bytes = Buffer.from(chunk);
      let start = 0;
      for (let index = 0; index < bytes.length; index += 1) {
        const byte = bytes[index];
        if (byte !== LF && byte !== CR) {
          afterCr = false;
          continue;
        }
        const isSecondHalf = byte === LF && afterCr && index === start;
        hold(bytes.subarray(start, index));
        start = index + 1;
        afterCr = byte === CR;
        if (!isSecondHalf) endLine();
      }
      hold(bytes.subarray(start));
    },
    betweenEvents: () => !inEvent,
  };
}

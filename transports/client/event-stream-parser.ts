/** Server-sent events, incrementally (WHATWG HTML §9.2.6): a chunk may end anywhere, also inside a character or between CR and LF. */

export interface StreamedEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
}

/** Yields each event as soon as its blank line arrived. An event without its blank line is dropped, as the standard says. */
export async function* parseEventStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<StreamedEvent> {
  const decoder = new TextDecoder('utf-8');
  let pending = '';
  let event = '';
  let data: string[] = [];
  for await (const chunk of chunks) {
    pending += decoder.decode(chunk, { stream: true });
    for (;;) {
      const end = pending.search(/[\r\n]/);
      // A CR at the very end may be the first half of a CRLF.
      if (end === -1 || (pending[end] === '\r' && end === pending.length - 1)) break;
      const line = pending.slice(0, end);
      pending = pending.slice(end + (pending.startsWith('\r\n', end) ? 2 : 1));
      if (line === '') {
        if (data.length > 0) yield { event: event === '' ? 'message' : event, data: data.join('\n') };
        event = '';
        data = [];
        continue;
      }
      const [field, value] = splitField(line);
      if (field === 'data') data.push(value);
      else if (field === 'event') event = value;
    }
  }
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(' ') ? value.slice(1) : value];
}

/** Reads the packets of a bare AAC stream (ADTS, ISO/IEC 14496-3 §1.A.3.2). Behind damage it goes on at the next two headers in a row. */
import { afterId3Tags } from '../../../actors/audio/formats/id3.ts';
import { adtsHeaderAt } from '../../../actors/audio/formats/mpeg.ts';
import { VelloError } from '../../../config/errors.ts';
import type { StreamEvent } from './packets.ts';

export const looksLikeAdts = (file: Uint8Array): boolean => headerAt(file, afterId3Tags(file)) !== undefined;

/** @throws VelloError `AUDIO_NOT_RECOGNISED` where there is no frame. */
export function* adtsPackets(file: Uint8Array): Generator<StreamEvent> {
  let kind: number | undefined;
  let isAfterGap = false;
  for (let at = afterId3Tags(file); at < file.length;) {
    const header = headerAt(file, at);
    const isOurs = header !== undefined && (kind === undefined || header.kind === kind);
    const end = at + (header?.bytes ?? 0);
    if (!isOurs || (isAfterGap && end < file.length && headerAt(file, end)?.kind !== kind)) {
      isAfterGap = true;
      at = file.indexOf(0xff, at + 1);
      if (at < 0) break;
      continue;
    }
    if (kind === undefined) {
      kind = header.kind;
      yield { kind: 'stream', codec: 'aac', headers: [configOf(kind)] };
    }
    if (end > file.length) break;
    yield { kind: 'packet', bytes: file.subarray(at + header.headerBytes, end), isAfterGap };
    at = end;
    isAfterGap = false;
  }
  if (kind === undefined) throw new VelloError('AUDIO_NOT_RECOGNISED', 'The AAC file holds no frame.');
}

function headerAt(file: Uint8Array, at: number): ReturnType<typeof adtsHeaderAt> {
  const header = adtsHeaderAt(file, at);
  return header !== undefined && ((header.kind >> 4) & 0xf) < 12 ? header : undefined;
}

/** The same numbers as an `AudioSpecificConfig` has them. */
function configOf(kind: number): Uint8Array {
  const [profile, rate, channels] = [(kind >> 8) + 1, (kind >> 4) & 0xf, kind & 7];
  return Uint8Array.of((profile << 3) | (rate >> 1), ((rate & 1) << 7) | (channels << 3));
}

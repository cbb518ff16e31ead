/** Reads the packets of a bare AAC stream (ADTS, ISO/IEC 14496-3 §1.A.3.2). Behind damage it goes on at the next two headers in a row. */
import { VelloError } from '../../../config/errors.ts';
import { afterId3Tags } from './id3-tags.ts';
import type { StreamEvent } from './packets.ts';

export const looksLikeAdts = (file: Uint8Array): boolean => headerAt(file, afterId3Tags(file)) !== undefined;

interface Header {
  /** What the frames of one stream have in common: profile, rate and channels. */
  readonly kind: number;
  readonly packetAt: number;
  readonly end: number;
}

/** @throws VelloError `AUDIO_NOT_RECOGNISED` where there is no frame. */
export function* adtsPackets(file: Uint8Array): Generator<StreamEvent> {
  let kind: number | undefined;
  let isAfterGap = false;
  for (let at = afterId3Tags(file); at < file.length;) {
    const header = headerAt(file, at);
    const isOurs = header !== undefined && (kind === undefined || header.kind === kind);
    if (!isOurs || (isAfterGap && header.end < file.length && headerAt(file, header.end)?.kind !== kind)) {
      isAfterGap = true;
      at = file.indexOf(0xff, at + 1);
      if (at < 0) break;
      continue;
    }
    if (kind === undefined) {
      kind = header.kind;
      yield { kind: 'stream', codec: 'aac', headers: [configOf(kind)] };
    }
    at = header.end;
    if (at > file.length) break;
    yield { kind: 'packet', bytes: file.subarray(header.packetAt, at), isAfterGap };
    isAfterGap = false;
  }
  if (kind === undefined) throw new VelloError('AUDIO_NOT_RECOGNISED', 'The AAC file holds no frame.');
}

function headerAt(file: Uint8Array, at: number): Header | undefined {
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0, sixth = 0] = file.subarray(at, at + 6);
  if (first !== 0xff || (second & 0xf6) !== 0xf0) return undefined;
  const bytes = ((fourth & 3) << 11) | (fifth << 3) | (sixth >> 5);
  const headerBytes = (second & 1) === 1 ? 7 : 9;
  if (bytes <= headerBytes || ((third >> 2) & 0xf) > 11) return undefined;
  return { kind: ((third & 0xfd) << 2) | (fourth >> 6), packetAt: at + headerBytes, end: at + bytes };
}

/** The same numbers as an `AudioSpecificConfig` has them. */
function configOf(kind: number): Uint8Array {
  const [profile, rate, channels] = [(kind >> 8) + 1, (kind >> 4) & 0xf, kind & 7];
  return Uint8Array.of((profile << 3) | (rate >> 1), ((rate & 1) << 7) | (channels << 3));
}

/** Which codec an MP4 track holds, and what its decoder needs to know first (the `stsd` box). */
import { boxesIn, contentOf, type Box } from '../../../actors/audio/formats/mp4.ts';
import type { StreamStart } from './packets.ts';

export interface AudioEntry {
  /** As people call it. */
  readonly codec: string;
  /** Absent: there is no decoder for it here. */
  readonly stream?: StreamStart;
}

const NAMES: Readonly<Record<string, string>> = {
  mp4a: 'MPEG audio',
  alac: 'Apple Lossless',
  'ac-3': 'AC-3',
  'ec-3': 'E-AC-3',
};

/** The first entry of the table. */
export function audioEntryOf(file: Uint8Array, table: Box | undefined): AudioEntry {
  const entry = table === undefined ? undefined : [...boxesIn(file, table.start + 8, table.end)][0];
  const view = contentOf(file, entry);
  if (entry === undefined || view.byteLength < 28) return { codec: '' };
  // QuickTime's later versions put more numbers in front of the boxes.
  const version = view.getUint16(8);
  const childrenAt = entry.start + 28 + (version === 1 ? 16 : version === 2 ? 36 : 0);
  const children = new Map([...boxesIn(file, childrenAt, entry.end)].map((box) => [box.type, box]));
  const [opus, flac] = [children.get('dOps'), children.get('dfLa')];
  if (entry.type === 'Opus' && opus !== undefined) {
    return { codec: 'Opus', stream: { kind: 'stream', codec: 'opus', headers: [opusHead(contentOf(file, opus))] } };
  }
  if (entry.type === 'fLaC' && flac !== undefined) {
    const head = Buffer.concat([Buffer.from('fLaC'), file.subarray(flac.start + 4, flac.end)]);
    return { codec: 'FLAC', stream: { kind: 'stream', codec: 'flac', headers: [head] } };
  }
  const config = entry.type === 'mp4a' ? aacConfig(file, children.get('esds')) : undefined;
  if (config !== undefined) return { codec: 'AAC', stream: { kind: 'stream', codec: 'aac', headers: [config] } };
  return { codec: NAMES[entry.type] ?? entry.type };
}

/** The `AudioSpecificConfig` inside the descriptors of an `esds` box (ISO/IEC 14496-1 §7.2.6); undefined: it is not AAC. */
function aacConfig(file: Uint8Array, box: Box | undefined): Uint8Array | undefined {
  if (box === undefined) return undefined;
  let at = box.start + 4;
  let isAac = false;
  while (at + 2 < box.end) {
    const tag = file[at++];
    let length = 0;
    let byte = 0x80;
    while ((byte & 0x80) !== 0 && at < box.end) {
      byte = file[at++] ?? 0;
      length = length * 128 + (byte & 0x7f);
    }
    if (tag === 3) at += 3 + extraBytes(file[at + 2] ?? 0, file[at + 3] ?? 0);
    else if (tag === 4) {
      isAac = file[at] === 0x40 || file[at] === 0x67;
      at += 13;
    } else if (tag === 5) return isAac ? file.subarray(at, Math.min(box.end, at + length)) : undefined;
    else at += length;
  }
  return undefined;
}

/** Of an elementary stream's descriptor: another stream it depends on, a URL, a clock. */
function extraBytes(flags: number, urlBytes: number): number {
  return ((flags & 0x80) === 0 ? 0 : 2) + ((flags & 0x40) === 0 ? 0 : 1 + urlBytes) + ((flags & 0x20) === 0 ? 0 : 2);
}

/** The same numbers as in Ogg, where they are written the other way round. */
function opusHead(box: DataView): Uint8Array {
  const head = Buffer.alloc(8 + box.byteLength);
  head.write('OpusHead', 'latin1');
  Buffer.from(box.buffer, box.byteOffset, box.byteLength).copy(head, 8);
  if (box.byteLength < 11) return head;
  head[8] = 1;
  head.writeUInt16LE(box.getUint16(2), 10);
  head.writeUInt32LE(box.getUint32(4), 12);
  head.writeInt16LE(box.getInt16(8), 16);
  return head;
}

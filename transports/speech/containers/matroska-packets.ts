/** Reads the packets of the first audio track of a Matroska or WebM file (RFC 9559). Behind damage it goes on at the next cluster. */
import {
  blockHeadAt,
  CLUSTER,
  EBML,
  endOfNumber,
  isBlock,
  MOST_TRACKS,
  noFacts,
  note,
  numberAt,
  OPENED,
  TRACK,
  type Track,
} from '../../../actors/audio/formats/matroska.ts';
import { VelloError } from '../../../config/errors.ts';
import { matroskaFrames } from './matroska-lacing.ts';
import type { Codec, StreamEvent } from './packets.ts';
import { xiphLaced } from './xiph-lacing.ts';

/** Whatever else may stand between the blocks of a cluster, or between clusters. Behind the first block, the rest is damage. */
const KNOWN = new Set([
  ...[EBML, 0x114d9b74, 0x1c53bb6b, 0x1043a770, 0x1254c367, 0x1941a469, 0xec, 0xbf],
  ...[0xe7, 0xa3, 0xa1, 0x9b, 0x75a2, 0xfb, 0xab, 0xa7, 0x75a1, 0x5854, 0xa4, 0xfa],
]);

/**
 * The stream of the first audio track, and its packets.
 * @throws VelloError `AUDIO_NOT_RECOGNISED` where there is no audio track of a known codec.
 */
export function* matroskaPackets(file: Uint8Array): Generator<StreamEvent> {
  const tracks: Track[] = [];
  let chosen: Track | undefined;
  const facts = noFacts();
  let isAfterGap = false;
  for (let at = 0; at < file.length;) {
    const id = numberAt(file, at, true) ?? Infinity;
    const sizeAt = endOfNumber(file, at);
    const start = endOfNumber(file, sizeAt);
    const size = sizeAt < file.length && start <= file.length ? numberAt(file, sizeAt, false) : undefined;
    if (size === undefined || id > 0xffffffff || (chosen !== undefined && !OPENED.has(id) && !KNOWN.has(id))) {
      at = nextCluster(file, at + 1);
      isAfterGap = true;
      continue;
    }
    const end = start + size;
    const body = file.subarray(start, Math.min(end, file.length));
    at = OPENED.has(id) ? start : end;
    note(facts, id, body);
    if (id === TRACK && chosen === undefined && tracks.push(facts.track) > MOST_TRACKS)
      throw unreadable('holds too many tracks');
    if (id === CLUSTER && chosen === undefined) {
      chosen = tracks.find(({ type }) => type === 2);
      yield streamOf(chosen);
    }
    if (!isBlock(id) || chosen === undefined) continue;
    if (end > file.length) return;
    const block = blockHeadAt(body, 0);
    if (block?.track !== chosen.number) continue;
    const startSeconds = ((facts.clusterTime + block.time) * facts.scale) / 1e9;
    for (const bytes of matroskaFrames(body, block.flags, block.end)) {
      yield { kind: 'packet', bytes, isAfterGap, startSeconds };
      isAfterGap = false;
    }
  }
  if (chosen === undefined) throw unreadable('holds no sound');
}

function streamOf(track: Track | undefined): StreamEvent {
  if (track === undefined) throw unreadable('holds no sound');
  const { codec, setup } = track;
  if (track.isEncoded) throw unreadable('holds sound that is compressed twice or encrypted');
  const start = (codec: Codec, headers: readonly Uint8Array[]): StreamEvent => ({ kind: 'stream', codec, headers });
  if (codec === 'A_OPUS') return start('opus', [setup]);
  if (codec === 'A_AAC') return start('aac', [setup]);
  if (codec === 'A_FLAC') return start('flac', [setup]);
  if (codec === 'A_VORBIS') return start('vorbis', xiphLaced(setup, 1, (setup[0] ?? 0) + 1) ?? []);
  throw unreadable(`holds ${codec.replace(/[^\w/.]/g, '')}, and not Opus, Vorbis, AAC or FLAC`);
}

function nextCluster(file: Uint8Array, from: number): number {
  const at = Buffer.from(file.buffer, file.byteOffset, file.length).indexOf('\x1f\x43\xb6\x75', from, 'latin1');
  return at < 0 ? file.length : at;
}

const unreadable = (what: string): VelloError => new VelloError('AUDIO_NOT_RECOGNISED', `The Matroska file ${what}.`);

/** What one frame of live audio is: whether it is one, and how long it sounds. */
import { opusPacketSeconds } from '../audio/formats/opus.ts';
import type { LiveFormat } from './live-protocol.ts';

const PCM_SAMPLE_BYTES = 2;
/** What the decoder's input holds; no encoder writes more. */
const MOST_PACKET_BYTES = 3_840;

/** Seconds of sound in a frame; undefined where it is none of this format. */
export function frameSeconds(format: LiveFormat, frame: Uint8Array): number | undefined {
  if (frame.length === 0) return undefined;
  if (format.codec === 'pcm16') {
    return frame.length % PCM_SAMPLE_BYTES === 0 ? frame.length / PCM_SAMPLE_BYTES / format.rate : undefined;
  }
  const seconds = opusPacketSeconds(frame[0] ?? 0, frame[1] ?? 0);
  return seconds > 0 && frame.length <= MOST_PACKET_BYTES ? seconds : undefined;
}

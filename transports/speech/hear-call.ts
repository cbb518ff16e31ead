/** One call as the ear's thread hears it: frames become samples, samples become stretches of speech. */
import { OpusDecoder } from 'opus-decoder';
import type { HearingOptions, Stretch } from '../../actors/inference/ear.ts';
import type { LiveFormat } from '../../actors/live/live-protocol.ts';
import { RECOGNITION_RATE } from './codecs/audio-block.ts';
import { fromPcm16 } from './codecs/pcm16.ts';
import { createResampler } from './codecs/resample.ts';
import { createSpeechCutter, type SpeechPiece } from './cut-speech.ts';
import { VOICE_FRAME_SAMPLES, type VoiceModel } from './models/silero-model.ts';

export interface CallHooks {
  readonly began: (startMs: number) => void;
  readonly stretch: (stretch: Stretch) => void;
}

export interface HeardCall {
  /** Resolves when all of the frame was heard; false where it cannot be read. */
  hear(frame: Uint8Array): Promise<boolean>;
  cut(): Promise<void>;
  glimpse(): Float32Array | undefined;
  /** Of what is being said. */
  openSeconds(): number;
  close(): void;
}

export async function hearCall(
  { format, silenceSeconds }: HearingOptions,
  voice: VoiceModel,
  hooks: CallHooks,
): Promise<HeardCall> {
  const reader = await openReader(format);
  const probabilityOf = voice.listen();
  const cutter = createSpeechCutter(silenceSeconds);
  let frame = new Float32Array(VOICE_FRAME_SAMPLES);
  let filled = 0;
  /** It was said that somebody speaks. */
  let isTold = false;

  const tell = (piece: SpeechPiece | undefined) => {
    if (piece === undefined) return;
    const [first, last] = [piece.spans[0], piece.spans.at(-1)];
    if (first === undefined || last === undefined) return;
    const startMs = milliseconds(first.startSeconds);
    if (!isTold) hooks.began(startMs);
    isTold = false;
    hooks.stretch({ samples: piece.samples, startMs, endMs: milliseconds(last.endSeconds) });
  };

  const push = async (samples: Float32Array) => {
    const piece = cutter.push(samples, await probabilityOf(samples));
    tell(piece);
    const spoken = isTold ? undefined : cutter.spoken();
    if (spoken === undefined) return;
    isTold = true;
    hooks.began(milliseconds(spoken.startSeconds));
  };

  return {
    hear: async (bytes) => {
      const samples = reader.read(bytes);
      if (samples === undefined) return false;
      for (let at = 0; at < samples.length;) {
        const taken = samples.subarray(at, at + VOICE_FRAME_SAMPLES - filled);
        frame.set(taken, filled);
        filled += taken.length;
        at += taken.length;
        if (filled < VOICE_FRAME_SAMPLES) break;
        const whole = frame;
        frame = new Float32Array(VOICE_FRAME_SAMPLES);
        filled = 0;
        await push(whole);
      }
      return true;
    },
    cut: async () => {
      const last = frame.slice(0, filled);
      filled = 0;
      if (last.length > 0) await push(last);
      tell(cutter.end());
      isTold = false;
    },
    glimpse: () => cutter.glimpse()?.samples,
    openSeconds: () => {
      const spoken = cutter.spoken();
      return spoken === undefined ? 0 : spoken.endSeconds - spoken.startSeconds;
    },
    close: () => reader.close(),
  };
}

interface FrameReader {
  read(frame: Uint8Array): Float32Array | undefined;
  close(): void;
}

/** Samples at the recognition's rate; undefined where a frame cannot be read. */
async function openReader(format: LiveFormat): Promise<FrameReader> {
  if (format.codec === 'pcm16') {
    const resampler = createResampler(format.rate, RECOGNITION_RATE);
    return { read: (frame) => resampler.push(fromPcm16(frame)), close: () => undefined };
  }
  const decoder = new OpusDecoder({ sampleRate: RECOGNITION_RATE, channels: 1 });
  await decoder.ready;
  return {
    read: (packet) => {
      const { channelData, errors } = decoder.decodeFrame(packet);
      return errors.length > 0 ? undefined : channelData[0];
    },
    close: () => decoder.free(),
  };
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000);

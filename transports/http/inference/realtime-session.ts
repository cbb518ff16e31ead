/** One caller's realtime transcription in OpenAI's protocol (its API reference, "Realtime"): his events to a live recognition, its words to his events. */
import type { Ear } from '../../../actors/inference/ear.ts';
import {
  recogniseLive,
  type LiveRecognition,
  type LiveRecognitionListener,
} from '../../../actors/inference/live-recognition.ts';
import type { RecognitionPool } from '../../../actors/inference/recognition-pool.ts';
import { frameSeconds } from '../../../actors/live/live-audio.ts';
import type { Clock } from '../../../actors/ports/clock.ts';
import { VelloError } from '../../../config/errors.ts';
import { RECOGNITION_RATE } from '../../speech/codecs/audio-block.ts';
import { wavOf } from '../../speech/codecs/wav-of.ts';
import { readRealtimeConfig, type RealtimeConfig } from './realtime-config.ts';

export interface RealtimeParts {
  readonly ear: Ear;
  readonly pool: Pick<RecognitionPool, 'recognise' | 'counts'>;
  readonly languages: readonly string[];
  readonly clock: Clock;
  readonly newId: () => string;
}

export interface RealtimeSession {
  /** One message of the caller. */
  take(text: string): void;
  close(): void;
}

type ClientEvent = Readonly<Record<string, unknown>>;

const TRANSCRIPTION = 'conversation.item.input_audio_transcription';

/** `hangUp`: the call cannot go on, and was told why. */
export function openRealtimeSession(
  parts: RealtimeParts,
  caller: string,
  send: (text: string) => void,
  hangUp: () => void,
): RealtimeSession {
  const id = `sess_${parts.newId()}`;
  let events = 0;
  let config: RealtimeConfig | undefined;
  let recognition: LiveRecognition | undefined;
  let lastCommitted: string | null = null;

  const say = (type: string, fields: object) =>
    send(JSON.stringify({ type, event_id: `event_${++events}`, ...fields }));
  const itemId = (item: number) => `item_${id.slice(-12)}_${item}`;

  const complain = ({ code, detail: message, status, extras }: VelloError, eventId?: string) =>
    say('error', {
      error: {
        type: status < 500 ? 'invalid_request_error' : 'server_error',
        ...{ code, message, param: extras.fields?.[0]?.field ?? null },
        event_id: eventId ?? null,
      },
    });

  const described = () => ({
    session: {
      ...{ id, object: 'realtime.transcription_session', type: 'transcription' },
      ...(config === undefined ? {} : { audio: { input: describeInput(config) } }),
    },
  });

  const listener: LiveRecognitionListener = {
    began: (item, startMs) =>
      say('input_audio_buffer.speech_started', { item_id: itemId(item), audio_start_ms: startMs }),
    stopped: (item, endMs) => say('input_audio_buffer.speech_stopped', { item_id: itemId(item), audio_end_ms: endMs }),
    committed: (item) => {
      say('input_audio_buffer.committed', { item_id: itemId(item), previous_item_id: lastCommitted });
      lastCommitted = itemId(item);
    },
    delta: (item, delta) => say(`${TRANSCRIPTION}.delta`, { item_id: itemId(item), content_index: 0, delta }),
    final: (item, transcript, seconds) =>
      say(`${TRANSCRIPTION}.completed`, {
        ...{ item_id: itemId(item), content_index: 0, transcript },
        usage: { type: 'duration', seconds },
      }),
    failed: (item, { code, detail: message }) =>
      say(`${TRANSCRIPTION}.failed`, {
        ...{ item_id: itemId(item), content_index: 0 },
        error: { type: 'server_error', code, message, param: null },
      }),
    nothingToCommit: (eventId) => {
      const error = { code: 'input_audio_buffer_commit_empty', message: 'There is no audio to commit.', param: null };
      say('error', { error: { type: 'invalid_request_error', ...error, event_id: eventId ?? null } });
    },
    broken: (error) => {
      complain(error);
      hangUp();
    },
  };

  const configure = (event: ClientEvent) => {
    if (recognition !== undefined) throw new VelloError('BAD_REQUEST', 'The session has begun, and stays as it is.');
    config = readRealtimeConfig(event, parts.languages);
    say(event['type'] === 'session.update' ? 'session.updated' : 'transcription_session.updated', described());
  };

  const begin = (): LiveRecognition => {
    if (config === undefined) throw new VelloError('BAD_REQUEST', 'The session must be updated first: type, model.');
    const toFile = (samples: Float32Array) => wavOf(samples, RECOGNITION_RATE);
    return (recognition ??= recogniseLive({ ...parts, toFile }, { ...config, caller }, listener));
  };

  const append = (event: ClientEvent) => {
    const running = begin();
    const { audio } = event;
    const frame = typeof audio === 'string' ? Buffer.from(audio, 'base64') : Buffer.alloc(0);
    if (config === undefined || frameSeconds(config.format, frame) === undefined) {
      throw new VelloError('BAD_REQUEST', 'The audio must be whole frames of the format, in base64.', {
        fields: [{ field: 'audio', problem: 'is none' }],
      });
    }
    if (running.hear(frame)) return;
    complain(new VelloError('RATE_LIMITED', 'Audio comes faster than it is heard.'));
    hangUp();
  };

  const act = (event: ClientEvent) => {
    switch (event['type']) {
      case 'session.update':
      case 'transcription_session.update':
        return configure(event);
      case 'input_audio_buffer.append':
        return append(event);
      case 'input_audio_buffer.commit':
        return begin().commit(eventIdOf(event));
      default:
        throw new VelloError('BAD_REQUEST', 'An event of this type is not understood.', {
          fields: [{ field: 'type', problem: 'is unknown' }],
        });
    }
  };

  say('session.created', described());
  return {
    take: (text) => {
      let event: ClientEvent = {};
      try {
        event = parseEvent(text);
        act(event);
      } catch (error) {
        if (!(error instanceof VelloError)) throw error;
        complain(error, eventIdOf(event));
      }
    },
    close: () => recognition?.close(),
  };
}

function parseEvent(text: string): ClientEvent {
  try {
    const event: unknown = JSON.parse(text);
    if (typeof event === 'object' && event !== null) return event as ClientEvent;
  } catch {
    // Said below.
  }
  throw new VelloError('BAD_REQUEST', 'An event is a JSON object.');
}

/** Goes back to whoever sent it, cut to what an id can be. */
const eventIdOf = ({ event_id: id }: ClientEvent): string | undefined =>
  typeof id === 'string' ? id.slice(0, 100) : undefined;

const describeInput = ({ format, language, findsTurns, silenceSeconds }: RealtimeConfig): object => ({
  format: format.codec === 'opus' ? { type: 'audio/opus' } : { type: 'audio/pcm', rate: format.rate },
  transcription: { language },
  turn_detection: findsTurns ? { type: 'server_vad', silence_duration_ms: silenceSeconds * 1000 } : null,
});

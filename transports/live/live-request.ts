/** Reads what a desktop asks for with its upgrade to `/vello/live` (contract §4), before the native request is gone. Checks form, not truth. */
import { validate } from 'uuid';
import { LIVE_CODECS, PCM_RATES, type LiveFormat } from '../../actors/live/live-protocol.ts';
import { VelloError } from '../../config/errors.ts';
import type { RequestHead } from '../http/server/request-head.ts';

export interface LiveRequest {
  /** As a header would have it. */
  readonly authorization: string;
  readonly asks: LiveBeginning | LiveReturn;
}

/** A new transcription. */
export interface LiveBeginning {
  readonly kind: 'begin';
  readonly sessionId: string;
  /** The empty string where none is named. */
  readonly model: string;
  readonly language: string;
  readonly format: LiveFormat;
  readonly traceparent: string;
}

/** One that is under way, from the final after `seq`. */
export interface LiveReturn {
  readonly kind: 'return';
  readonly liveId: string;
  readonly seq: number;
}

/** @throws VelloError `BAD_REQUEST` */
export function readLiveRequest(head: RequestHead): LiveRequest {
  const { query } = head;
  const token = query.get('token') ?? '';
  const given = head.header('authorization');
  const authorization = given === '' && token !== '' ? `Bearer ${token}` : given;
  const liveId = query.get('live');
  if (liveId !== null) {
    if (!validate(liveId)) throw new VelloError('BAD_REQUEST', 'live must be a UUID.');
    return {
      authorization,
      asks: { kind: 'return', liveId: liveId.toLowerCase(), seq: seqOf(query.get('seq') ?? '0') },
    };
  }
  const sessionId = only('session', [head.header('x-session-id'), query.get('session') ?? '']);
  if (!validate(sessionId))
    throw new VelloError('BAD_REQUEST', 'X-Session-Id, or session in the query, must be a UUID.');
  const language = query.get('language') ?? '';
  if (!/^(?:[a-zA-Z-]{2,16})?$/.test(language)) throw new VelloError('BAD_REQUEST', 'language is a code such as en.');
  const traceparent = head.header('traceparent');
  return {
    authorization,
    asks: {
      kind: 'begin',
      sessionId: sessionId.toLowerCase(),
      model: only('model', [head.header('x-vello-model'), ...query.getAll('model')]).slice(0, 256),
      language,
      format: formatOf(query.get('format') ?? '', query.get('rate') ?? ''),
      traceparent: /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(traceparent) ? traceparent : '',
    },
  };
}

/** The one that is named; naming two is a contradiction. */
function only(what: string, named: readonly string[]): string {
  const [name = '', other] = new Set(named.filter((given) => given !== ''));
  if (other !== undefined) throw new VelloError('BAD_REQUEST', `The request names two: ${what}.`);
  return name;
}

function formatOf(given: string, givenRate: string): LiveFormat {
  const codec = LIVE_CODECS.find((known) => known === given);
  if (codec === 'opus' && givenRate === '') return { codec };
  const rate = PCM_RATES.find((known) => String(known) === givenRate);
  if (codec === 'pcm16' && rate !== undefined) return { codec, rate };
  throw new VelloError('BAD_REQUEST', `The format is opus, or pcm16 with a rate of ${PCM_RATES.join(', ')}.`);
}

function seqOf(given: string): number {
  if (/^\d{1,9}$/.test(given)) return Number(given);
  throw new VelloError('BAD_REQUEST', 'seq must be a whole number.');
}

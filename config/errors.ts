/** The error catalogue: stable code, HTTP status, title and whether trying again may help. Everything that leaves a role as an error is one of these. */

interface Declared {
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
}

const refused = (status: number, title: string): Declared => ({ status, title, retryable: false });
const passing = (status: number, title: string): Declared => ({ status, title, retryable: true });

export const ERRORS = {
  // Requests
  BAD_REQUEST: refused(400, 'The request is malformed.'),
  NOT_FOUND: refused(404, 'There is nothing here.'),
  UPGRADE_REQUIRED: refused(426, 'Only WebSocket version 13 is spoken here.'),
  METHOD_NOT_ALLOWED: refused(405, 'This address does not take that method.'),
  PAYLOAD_TOO_LARGE: refused(413, 'The body is larger than this route takes.'),
  UNSUPPORTED_MEDIA_TYPE: refused(415, 'The body is of a kind that this route does not take.'),
  INVALID_FIELDS: refused(422, 'Some fields are invalid.'),
  RATE_LIMITED: passing(429, 'Too many requests.'),
  INTERNAL: passing(500, 'Something failed on our side.'),
  UNAVAILABLE: passing(503, 'This cannot be answered right now.'),
  SHUTTING_DOWN: passing(503, 'The server is shutting down.'),

  // Gateway
  AUTH_TOKEN_MISSING: refused(401, 'This needs an access token.'),
  AUTH_TOKEN_UNKNOWN: refused(401, 'The access token is unknown, expired or revoked.'),
  CREDITS_EXHAUSTED: refused(402, 'The credits of this account are used up.'),
  UPSTREAM_UNREACHABLE: passing(502, 'The AI provider cannot be reached.'),
  UPSTREAM_FAILED: passing(502, 'The AI provider did not complete its answer.'),
  UPSTREAM_TIMEOUT: passing(504, 'The AI provider did not answer in time.'),
  PROMPT_NOT_FOUND: refused(404, 'There is no such prompt.'),
  LIVE_UNKNOWN: refused(404, 'There is no such live transcription, or not any more.'),
  UPLOAD_TOO_SLOW: refused(408, 'The body arrived too slowly.'),

  // Events
  EVENT_MALFORMED: refused(422, 'The usage event is malformed.'),

  // Identity
  AUTH_TOKEN_INVALID: refused(401, 'The token is not valid here.'),
  AUTH_TOKEN_EXPIRED: refused(401, 'The token has expired.'),
  AUTH_KEY_INVALID: refused(422, 'The public key is not acceptable.'),
  AUTH_CHALLENGE_EXPIRED: refused(401, 'The challenge is unknown, used or expired.'),
  AUTH_SIGNATURE_INVALID: refused(401, 'The signature does not verify.'),
  AUTH_CLOCK_SKEW: refused(401, 'The signed time is too far from the server time.'),
  AUTH_SEQUENCE_REPLAYED: refused(401, 'The sequence number was already used.'),
  AUTH_REAUTHENTICATE: refused(401, 'The device must authenticate again with a new challenge.'),
  AUTH_REFRESH_INVALID: refused(401, 'The refresh token is unknown, expired or revoked.'),
  AUTH_REFRESH_REUSED: refused(401, 'The refresh token was already used; its session has ended.'),
  AUTH_DEVICE_REVOKED: refused(403, 'The device was revoked.'),
  DEVICE_BLOCKED: refused(409, 'This hardware may not register another account.'),
  DEVICE_NOT_FOUND: refused(404, 'There is no such device.'),
  SERVICE_AUTH_INVALID: refused(401, 'The service signature is missing or does not verify.'),
  SERVICE_CLOCK_SKEW: refused(401, 'The service signature is too old or too new.'),
  SERVICE_UNKNOWN: refused(404, 'There is no such service.'),
  SERVICE_SIGNATURE_REPLAYED: refused(401, 'The service signature was already used.'),

  // Collector
  API_FAILED: passing(502, 'The api failed or asked to be spared.'),
  API_MISMATCH: refused(502, 'What answers at the address of the api is not the api.'),
  API_REJECTED: refused(422, 'The api refused the event.'),
  API_TIMEOUT: passing(504, 'The api did not answer in time.'),
  API_UNREACHABLE: passing(502, 'The api cannot be reached.'),
  SERVICE_KEY_REFUSED: refused(401, 'The api refuses the key of this service.'),

  // Credits and jobs
  IDEMPOTENCY_CONFLICT: refused(409, 'The same idempotency key was used for something else.'),
  JOB_NOT_FOUND: refused(404, 'There is no such job.'),
  JOB_TAKES_NO_TEXT: refused(409, 'The job is not a transcription.'),
  USER_UNKNOWN: refused(422, 'There is no such user or device.'),

  // Speech
  AUDIO_NOT_RECOGNISED: refused(400, 'The file is not audio that can be read.'),
  AUDIO_TOO_SHORT: refused(400, 'The recording is too short.'),
  AUDIO_TOO_LONG: refused(400, 'The recording is too long.'),
  AUDIO_WITHOUT_SPEECH: refused(400, 'No speech was recognised in the recording.'),
  AUDIO_NOT_UNDERSTOOD: refused(
    400,
    'What is said in the recording is in no language that the model knows, or unclear.',
  ),
  INFERENCE_KEY_INVALID: refused(401, 'The key is missing or wrong.'),
  MODEL_NOT_FOUND: refused(404, 'There is no such model.'),
  ENGINE_BUSY: passing(503, 'The engine has as much work as it takes.'),
  ENGINE_FAILED: passing(503, 'The engine failed while it worked on this.'),
  MODEL_UNAVAILABLE: passing(503, 'The speech model cannot be loaded.'),

  // Start-up
  DATABASE_LOCKED: passing(503, 'The database is locked by another session.'),
  DATABASE_NOT_MIGRATED: refused(500, 'The database schema is older than this build.'),
  DATABASE_POOLED: refused(500, 'The database is behind a pooler that keeps no sessions.'),
  DATABASE_ROLE_UNSAFE: refused(500, 'The database role has more rights than this program may have.'),
  DATABASE_UNGUARDED: refused(500, 'A table with user data is not guarded.'),
  MIGRATION_CHANGED: refused(500, 'A migration differs from the one that was applied.'),
  MIGRATION_FAILED: refused(500, 'A migration failed.'),
  SECRET_KEY_WRONG: refused(500, 'This is not the secret key of the installation that the database belongs to.'),
  SETTINGS_INVALID: refused(500, 'The settings are invalid.'),
  PORT_IN_USE: refused(500, 'A listening address is in use.'),
  REDIS_UNAVAILABLE: passing(503, 'Redis does not answer.'),
} as const satisfies Record<string, Declared>;

export type ErrorCode = keyof typeof ERRORS;

export interface FieldProblem {
  /** JSON pointer of the offending field (RFC 6901). */
  readonly field: string;
  readonly problem: string;
}

export interface ErrorExtras {
  readonly cause?: unknown;
  /** Sent as `Retry-After`, in seconds, rounded up. */
  readonly retryAfterMs?: number;
  readonly fields?: readonly FieldProblem[];
  /** Further members of the problem document (RFC 9457 §3.2), such as `server_time`. */
  readonly members?: Readonly<Record<string, string | number | boolean>>;
}

export class VelloError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
  /** What happened this time, safe to show to the caller; the title where nothing more can be said. */
  readonly detail: string;
  readonly extras: ErrorExtras;

  constructor(code: ErrorCode, detail?: string, extras: ErrorExtras = {}) {
    const declared = ERRORS[code];
    super(detail ?? declared.title, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.name = 'VelloError';
    this.code = code;
    this.status = declared.status;
    this.title = declared.title;
    this.retryable = declared.retryable;
    this.detail = detail ?? declared.title;
    this.extras = extras;
  }
}

/** An answer about one request must stay readable, whatever was wrong with it. */
export const MOST_PROBLEMS = 100;
const MOST_POINTER_CHARACTERS = 200;

/** `INVALID_FIELDS` with what is wrong with each field, by its JSON pointer. */
export function invalidFields(detail: string, problems: ReadonlyMap<string, string>): VelloError {
  const fields = [...problems].slice(0, MOST_PROBLEMS).map(([field, problem]): FieldProblem => ({
    field: field.length > MOST_POINTER_CHARACTERS ? `${field.slice(0, MOST_POINTER_CHARACTERS)}…` : field,
    problem,
  }));
  return new VelloError('INVALID_FIELDS', detail, { fields });
}

/** A member's name as a part of a JSON pointer (RFC 6901 §3). */
export const escapePointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');

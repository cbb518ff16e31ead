/** Every setting, once: its variable, parser, default and one line of explanation. `load-settings.ts` reads them from an environment. */
import {
  bytesByModel,
  flag,
  integer,
  listenAddress,
  choiceOf,
  origins,
  text,
  url,
  versionedSecrets,
  type Parser,
} from './parse-setting.ts';

export interface Setting<T> {
  readonly variable: string;
  readonly parse: Parser<T>;
  /** Written as it would be in the environment; `undefined` where an absent setting has a meaning of its own. */
  readonly fallback: string | undefined;
  readonly doc: string;
  /** Never printed, logged or exposed. */
  readonly secret: boolean;
}

const required = <T>(variable: string, parse: Parser<T>, fallback: string, doc: string): Setting<T> => ({
  variable,
  parse,
  fallback,
  doc,
  secret: false,
});

const optional = <T>(variable: string, parse: Parser<T>, doc: string): Setting<T | undefined> => ({
  variable,
  parse,
  fallback: undefined,
  doc,
  secret: false,
});

const secret = (variable: string, doc: string): Setting<string | undefined> => ({
  ...optional(variable, text, doc),
  secret: true,
});

/** A key that can be tried out protects nothing that is derived from it. */
const longText: Parser<string> = (value) => {
  if (value.length >= 32) return value;
  throw new TypeError('32 characters or more');
};

const address = (variable: string, fallback: string, doc: string) => required(variable, listenAddress, fallback, doc);

export const SETTINGS = {
  home: required(
    'VELLO_HOME',
    text,
    '.vello',
    'Folder of all state: databases, caches, generated keys. Where it is relative: below the clone, or, of an installed package, below the folder in which the command is run.',
  ),
  logLevel: required(
    'VELLO_LOG_LEVEL',
    choiceOf('debug', 'info', 'warn', 'error', 'silent'),
    'info',
    'Least severe log line that is written.',
  ),

  apiListen: address('VELLO_API_LISTEN', '127.0.0.1:8080', 'Where the api listens.'),
  gatewayListen: address('VELLO_GATEWAY_LISTEN', '127.0.0.1:8081', 'Where the gateway listens.'),
  inferenceListen: address('VELLO_INFERENCE_LISTEN', '127.0.0.1:8082', 'Where the inference role listens.'),
  adminListen: address('VELLO_ADMIN_LISTEN', '127.0.0.1:8090', 'Where /metrics, /health and /actors are served.'),
  adminHosts: optional(
    'VELLO_ADMIN_HOSTS',
    text,
    'Host names, separated by commas, under which /metrics, /health and /actors may be asked for. Addresses and localhost always may.',
  ),
  apiUrl: optional(
    'VELLO_API_URL',
    url('http:', 'https:'),
    'Where the collector finds the api. Absent: in the same process.',
  ),

  databaseUrl: {
    ...optional(
      'VELLO_DATABASE_URL',
      url('postgres:', 'postgresql:'),
      'PostgreSQL 15 or newer, with the right to create roles. Absent: an embedded server is started.',
    ),
    secret: true,
  },
  redisUrl: {
    ...optional(
      'VELLO_REDIS_URL',
      url('redis:', 'rediss:'),
      'Redis 7 or newer, with maxmemory-policy noeviction. Absent: a server is started.',
    ),
    secret: true,
  },
  secretKey: {
    ...optional(
      'VELLO_SECRET_KEY',
      longText,
      'At least 32 characters from which keys for stored secrets are derived, the same on every host. Absent: generated once under VELLO_HOME.',
    ),
    secret: true,
  },

  gatewayAdmission: required(
    'VELLO_GATEWAY_ADMISSION',
    choiceOf('grants', 'open'),
    'grants',
    'Who may use the gateway: holders of a grant, or everybody (closed networks only).',
  ),
  gatewayRequestsPerUser: required(
    'VELLO_GATEWAY_REQUESTS_PER_USER',
    integer(1, 10_000),
    '8',
    'Requests that one user may have under way at once, at each gateway. Fewer where the balance is small.',
  ),
  providerUrl: optional(
    'VELLO_PROVIDER_URL',
    url('http:', 'https:'),
    'Base URL of the AI provider. Absent: OpenAI when OPENAI_API_KEY is set, else the inference role.',
  ),
  providerKey: secret('OPENAI_API_KEY', 'Key of the AI provider. Absent: the inference role answers.'),
  providerCountsStreams: required(
    'VELLO_PROVIDER_COUNTS_STREAMS',
    flag,
    'true',
    'The provider counts the tokens of a streamed chat when asked (stream_options.include_usage). false for one that refuses the question: what passes is counted instead.',
  ),
  uploadBytes: optional(
    'VELLO_UPLOAD_BYTES',
    bytesByModel,
    "Most bytes of a request's body by its model, * for recordings to all others: whisper-1:26214400,*:50000000. Absent: 26214400 for recordings to OpenAI, none elsewhere.",
  ),
  inferenceKey: secret(
    'VELLO_INFERENCE_KEY',
    'Key that the inference role asks of its callers. Absent: generated once under VELLO_HOME.',
  ),
  inferenceWorkers: required(
    'VELLO_INFERENCE_WORKERS',
    integer(1, 64),
    '1',
    'Recognitions that run at once, each on a thread of its own.',
  ),
  speechModels: optional(
    'VELLO_SPEECH_MODELS',
    text,
    'A JSON file that lists speech models of further languages, with the SHA-256 of their files (docs/operations.md). Absent: English only.',
  ),

  devicesPerHardware: required(
    'VELLO_DEVICES_PER_HARDWARE',
    integer(1, 1_000_000),
    '5',
    'Accounts that one piece of hardware may hold before registration is refused.',
  ),
  fingerprintPeppers: {
    ...required(
      'VELLO_FINGERPRINT_PEPPERS',
      versionedSecrets,
      '',
      'Peppers of fingerprint hashes beyond the derived one (version 1): 2:<secret>,3:<secret>. The highest is stored, all are looked up.',
    ),
    secret: true,
  },
  trustProxy: required(
    'VELLO_TRUST_PROXY',
    flag,
    'false',
    'Take the caller address from the last X-Forwarded-For entry (only behind a proxy that sets it).',
  ),
  corsOrigins: optional(
    'VELLO_CORS_ORIGINS',
    origins,
    'Origins, separated by commas, whose web pages may read what the api and the gateway answer; * for all. Absent: none.',
  ),
  drainMs: required('VELLO_DRAIN_MS', integer(0, 600_000), '25000', 'Longest a stop waits for work under way.'),
} as const satisfies Record<string, Setting<unknown>>;

type Declared = typeof SETTINGS;
export type Settings = { readonly [K in keyof Declared]: Declared[K] extends Setting<infer T> ? T : never };

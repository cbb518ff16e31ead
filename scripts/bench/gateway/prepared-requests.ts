/** The requests of the gateway's benchmark as bytes, with the headers that OpenAI's client sends. The model says what the provider answers. */

export const BENCH_ACCESS_TOKEN = tokenLike(560);

/** `whole`: 1 kB of JSON. `first`: three events at once. `chunks`: 200 events, one each millisecond. `silent`: one event, and nothing more. */
export type AskedAnswer = 'whole' | 'first' | 'chunks' | 'silent';

/** Of the answer `chunks`. */
export const CHUNKS = 200;

/** Marks the moment, in microseconds of the monotonic clock in 15 digits, at which an event left the provider. */
export const SENT_MARK = '"sent":';
export const sentNow = (): number => Number(process.hrtime.bigint() / 1000n);

type Headers = Readonly<Record<string, string>>;

const linesOf = (headers: Headers) =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

export function chatRequest(answer: AskedAnswer, headers: Headers): Buffer {
  const message = { role: 'user', content: 'x'.repeat(850) };
  const body = JSON.stringify({ model: answer, stream: answer !== 'whole', messages: [message] });
  return Buffer.from(`${head('/v1/chat/completions', 'application/json', body.length, headers)}${body}`);
}

/** A recording of 1 MB. */
export function uploadRequest(headers: Headers): Buffer {
  const body = Buffer.concat([
    Buffer.from('--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhole\r\n'),
    Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'),
    Buffer.from('Content-Type: audio/wav\r\n\r\n'),
    Buffer.alloc(1024 * 1024, 'audio'),
    Buffer.from('\r\n--b--\r\n'),
  ]);
  const type = 'multipart/form-data; boundary=b';
  return Buffer.concat([Buffer.from(head('/v1/audio/transcriptions', type, body.length, headers)), body]);
}

const head = (path: string, type: string, length: number, headers: Headers) => `POST ${path} HTTP/1.1\r
Host: 127.0.0.1\r
Accept: application/json\r
Content-Type: ${type}\r
User-Agent: OpenAI/JS 6.49.0\r
X-Stainless-Retry-Count: 0\r
X-Stainless-Lang: js\r
X-Stainless-Package-Version: 6.49.0\r
X-Stainless-OS: Linux\r
X-Stainless-Arch: x64\r
X-Stainless-Runtime: node\r
X-Stainless-Runtime-Version: v20.20.2\r
Authorization: Bearer ${BENCH_ACCESS_TOKEN}\r
${linesOf(headers)}Content-Length: ${length}\r
\r
`;

/** As long as an access token of ours, and made of the same characters. */
function tokenLike(length: number): string {
  return Buffer.from('an access token of the benchmark, '.repeat(length)).toString('base64url').slice(0, length);
}

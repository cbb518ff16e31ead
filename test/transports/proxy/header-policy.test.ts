import t from 'tap';
import { callerHeader, headersToProvider } from '../../../transports/proxy/header-policy.ts';

const from =
  (headers: Readonly<Record<string, string>>) =>
  (name: string): string =>
    headers[name] ?? '';
const OF_OURS = 'user-agent: vello-gateway\r\naccept-encoding: identity\r\n';

t.test('only listed headers become lines, and the key follows them', async (t) => {
  const given = {
    'content-type': 'application/json',
    cookie: 'a=b',
    authorization: 'Bearer mine',
    traceparent: '00-1',
  };
  const lines = headersToProvider(from(given), 'sk-1', undefined);
  t.equal(lines, `${OF_OURS}content-type: application/json\r\ntraceparent: 00-1\r\nauthorization: Bearer sk-1\r\n`);
  t.equal(headersToProvider(from({}), undefined, undefined), OF_OURS);
});

t.test('what the client says is for us alone goes no further', async (t) => {
  const given = { accept: 'a', 'accept-language': 'de', 'idempotency-key': 'k', traceparent: '00-1' };
  const linesWith = (connection: string) =>
    headersToProvider(from({ ...given, connection }), undefined, undefined).slice(OF_OURS.length);
  t.equal(linesWith('X-A, Accept-Language,idempotency-key ,close'), 'accept: a\r\ntraceparent: 00-1\r\n');
  for (const connection of ['', 'keep-alive', 'Close', 'upgrade']) {
    t.equal(linesWith(connection), 'accept: a\r\naccept-language: de\r\ntraceparent: 00-1\r\nidempotency-key: k\r\n');
  }
});

t.test('the same idempotency key of two users is two keys to the provider', async (t) => {
  const lineOf = (key: string, userId: string | undefined) =>
    headersToProvider(from({ 'idempotency-key': key }), undefined, userId).slice(OF_OURS.length);
  t.equal(lineOf('k', undefined), 'idempotency-key: k\r\n');
  t.match(lineOf('k', 'user-1'), /^idempotency-key: [\w-]{43}\r\n$/);
  t.equal(lineOf('k', 'user-1'), lineOf('k', 'user-1'), 'a request that is repeated stays the same one');
  t.not(lineOf('k', 'user-1'), lineOf('k', 'user-2'));
  t.not(lineOf('k', 'user-1'), lineOf('l', 'user-1'));
});

t.test('text beyond ASCII passes as its bytes, none of which is a line break', async (t) => {
  // U+0D0A, cut to a byte, would be a line feed; in UTF-8 it is three bytes above 0x80.
  const lines = headersToProvider(from({ accept: '\u0d0a\u010a\u00e9\x7f' }), undefined, undefined);
  const line = lines.slice(OF_OURS.length);
  t.same(Buffer.from(line, 'latin1'), Buffer.from('accept: \u0d0a\u010a\u00e9\x7f\r\n'));
  t.match(lines, /^[^\r\n]+\r\n[^\r\n]+\r\n[^\r\n]+\r\n$/);
});

t.test('a value that would end its line is never sent', async (t) => {
  for (const value of ['a\r\nx: y', 'a\nb', 'a\rb', 'a\0b']) {
    t.throws(() => headersToProvider(from({ accept: value }), undefined, undefined), /accept would end its line/);
    t.throws(() => headersToProvider(from({}), value, undefined), /authorization would end its line/);
  }
});

t.test('a caller is named in a way that only whoever has the key can tell', async (t) => {
  const line = callerHeader('user-1', 'sk-1');
  t.match(line, /^x-vello-caller: [\w-]{22}\r\n$/);
  t.equal(callerHeader('user-1', 'sk-1'), line);
  t.not(callerHeader('user-2', 'sk-1'), line);
  t.not(callerHeader('user-1', 'sk-2'), line);
  t.equal(callerHeader(undefined, 'sk-1'), '');
  t.equal(callerHeader('user-1', undefined), '');
});

import t from 'tap';
import { readAnswer } from '../../../scripts/conformance/seen-answer.ts';

const read = (text: string, isOver = false, isHead = false) => {
  const answer = readAnswer(Buffer.from(text), isOver, isHead);
  return answer === undefined ? undefined : [answer.status, answer.end, answer.body.toString(), answer.rest.toString()];
};
const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

t.test('an answer is as long as it says', async (t) => {
  t.equal(read('HTTP/1.1 200 OK\r\nContent-'), undefined);
  t.strictSame(read(`${OK}Content-Length: 2\r\n\r\nabc`), [200, 'whole', 'ab', 'c']);
  t.strictSame(read(`${CHUNKED}2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\nrest`), [200, 'whole', 'abc', 'rest']);
  t.strictSame(read(`${OK}\r\nabc`, true), [200, 'whole', 'abc', '']);
  t.strictSame(read(`${OK}Content-Length: 5\r\n\r\n`, false, true), [200, 'whole', '', '']);
  t.strictSame(read('HTTP/1.1 204 No\r\n\r\nHTTP'), [204, 'whole', '', 'HTTP']);
});

t.test('until then it is open, and cut where the connection is gone', async (t) => {
  for (const begun of [`${OK}Content-Length: 4\r\n\r\nabc`, `${CHUNKED}3\r\nabc\r\n`, `${CHUNKED}4\r\nabc`]) {
    t.strictSame(read(begun), [200, 'open', 'abc', ''], begun);
    t.strictSame(read(begun, true), [200, 'cut', 'abc', ''], begun);
  }
  t.strictSame(read(`${OK}\r\nabc`), [200, 'open', 'abc', '']);
});

t.test('what two readers could take for two things is garbled', async (t) => {
  const heads = [
    'Content-Length: 1\r\nContent-Length: 2',
    'Content-Length: 1\r\nTransfer-Encoding: chunked',
    'Content-Length: x',
  ];
  for (const head of heads) t.match(read(`${OK}${head}\r\n\r\nab`), [200, 'garbled'], head);
  t.match(read(`${CHUNKED}xyz\r\n`), [200, 'garbled']);
  t.match(read('220 ready\r\n\r\n'), [0, 'garbled']);
});

t.test('interim answers stand before it', async (t) => {
  const answer = readAnswer(
    Buffer.from(`HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 100 Go\r\n\r\n${OK}Date: x\r\n\r\n`),
    true,
  );
  t.strictSame(answer?.interim, [103, 100]);
  t.equal(answer?.status, 200);
  t.strictSame(answer?.values('date'), ['x']);
});

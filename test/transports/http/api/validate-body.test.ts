/** What may pass as a body, and what a caller is told about one that may not. */
import { Type } from '@sinclair/typebox';
import t from 'tap';
import { VelloError } from '../../../../config/errors.ts';
import { compileCheck, parseJson, requireJson } from '../../../../transports/http/api/validate-body.ts';

const check = compileCheck(
  Type.Object(
    {
      name: Type.String({ maxLength: 5 }),
      id: Type.Optional(Type.String({ format: 'uuid' })),
      parts: Type.Array(Type.Object({ n: Type.Integer({ minimum: 1 }) }, { additionalProperties: false })),
    },
    { additionalProperties: false },
  ),
);

function refusal(attempt: () => unknown): VelloError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof VelloError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const fieldsOf = (error: VelloError) => (error.extras.fields ?? []).map((problem) => problem.field);

t.test('names every offending field by its JSON pointer, once', (t) => {
  const error = refusal(() => check({ name: 'too long', id: 'x', parts: [{ n: 1 }, { n: 0 }, { m: 1 }], 'a/b~c': 1 }));
  t.equal(error.code, 'INVALID_FIELDS');
  t.same(fieldsOf(error).sort(), ['/a~1b~0c', '/id', '/name', '/parts/1/n', '/parts/2/m', '/parts/2/n']);
  t.end();
});

t.test('returns what fits unchanged', (t) => {
  const value = { name: 'desk', parts: [{ n: 1 }], id: '01890000-0000-7000-8000-000000000000' };
  t.equal(check(value), value);
  t.end();
});

t.test('bounds what it says about a body that is wrong in very many places', (t) => {
  const many = Array.from({ length: 5000 }, () => ({ ['k'.repeat(1000)]: 1 }));
  const error = refusal(() => check({ name: 'a', parts: many }));
  t.ok(fieldsOf(error).length <= 100);
  t.ok(JSON.stringify(error.extras.fields).length < 50_000);
  t.end();
});

t.test('refuses as malformed what is not JSON in UTF-8 or is nested without end', (t) => {
  const bodies = [
    '',
    '{',
    '{"a":1,}',
    'undefined',
    '[1] x',
    '['.repeat(60_000),
    '"\u0001"',
    '['.repeat(33) + ']'.repeat(33),
  ];
  for (const text of bodies)
    t.equal(refusal(() => parseJson(Buffer.from(text))).code, 'BAD_REQUEST', text.slice(0, 20));
  t.equal(refusal(() => parseJson(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).code, 'BAD_REQUEST');
  t.equal(refusal(() => parseJson(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).code, 'BAD_REQUEST');
  t.same(parseJson(Buffer.from('['.repeat(32) + ']'.repeat(32))), JSON.parse('['.repeat(32) + ']'.repeat(32)));
  t.end();
});

t.test('refuses text that PostgreSQL cannot keep, wherever it stands', (t) => {
  const body = '{"a":"\\u0000","b":["\\ud800","\\ud83d\\ude00"],"\\udc00":1,"c":"fine"}';
  const error = refusal(() => parseJson(Buffer.from(body)));
  t.equal(error.code, 'INVALID_FIELDS');
  t.equal(fieldsOf(error).length, 3);
  t.strictSame(fieldsOf(error).slice(0, 2), ['/a', '/b/0']);
  t.end();
});

t.test('takes JSON in UTF-8 by its content type and nothing else', (t) => {
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/json;charset="UTF-8"']) {
    t.doesNotThrow(() => requireJson(type));
  }
  for (const type of [
    '',
    'text/plain',
    'application/jsonp',
    'application/json; charset=utf-16',
    'application/json, text/html',
  ]) {
    t.equal(refusal(() => requireJson(type)).status, 415, type);
  }
  t.end();
});

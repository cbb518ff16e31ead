import t from 'tap';
import { createJsonLog } from '../../../transports/telemetry/json-log.ts';

function createLog(level: 'debug' | 'warn' = 'debug') {
  const lines: string[] = [];
  const log = createJsonLog({ level, write: (line) => void lines.push(line) });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

t.test('a line carries level, time, message and fields, those of its parents included', async (t) => {
  const { log, last } = createLog();
  log.child({ role: 'api' }).child({ shard: 3 }).info('listening', { port: 8080 });
  t.match(last(), { level: 'info', msg: 'listening', role: 'api', shard: 3, port: 8080, time: /^\d{4}-.*Z$/ });
});

t.test('what is below the level is not written', async (t) => {
  const { log, lines } = createLog('warn');
  log.info('quiet');
  log.warn('loud');
  t.equal(lines.length, 1);
});

t.test('no secret reaches the output, whatever the name, shape or depth it comes in', async (t) => {
  const { log, lines } = createLog();
  log.error('GET /ws/desktop?token=s3cret-token failed, Bearer s3cret-bearer', {
    authorization: 's3cret-header',
    headers: { 'X-Vello-Signature': 's3cret-signature', cookie: 's3cret-cookie' },
    list: [{ access_token: 's3cret-access', fingerprints: { machine_id: 's3cret-machine' } }],
    url: 'redis://user:s3cret-password@host:6379',
    body: Buffer.from('s3cret-audio'),
    error: new Error('refused eyJhbGciOiJFZDI1NTE5In0.s3cretpayload.s3cretsig', {
      cause: new Error('key sk-s3cretproviderkey'),
    }),
  });
  log.child({ apiKey: 's3cret-key' }).info('child');
  t.notMatch(lines.join(''), /s3cret/);
  t.match(lines.join(''), /\[masked\]/);
});

t.test('an error keeps its name, code, stack and cause, and loses what a driver hung on it', async (t) => {
  const { log, last } = createLog();
  const error = Object.assign(new TypeError('outer', { cause: new Error('inner') }), {
    code: 'E_OUTER',
    query: 'select secret things',
  });
  log.error('failed', { error });
  t.match(last()['error'], { name: 'TypeError', code: 'E_OUTER', stack: /outer/, cause: { message: 'inner' } });
  t.notMatch(JSON.stringify(last()), /secret things/);
});

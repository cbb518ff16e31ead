import { EventEmitter } from 'node:events';
import t from 'tap';
import { onStopSignals } from '../../../transports/process/signals.ts';

t.test('the first signal asks for an orderly end, any later one for an end at once', async (t) => {
  const source = new EventEmitter();
  const asked: string[] = [];
  const unsubscribe = onStopSignals(source, {
    orderly: (signal) => asked.push(`orderly ${signal}`),
    atOnce: (signal) => asked.push(`at once ${signal}`),
  });
  source.emit('SIGTERM');
  source.emit('SIGINT');
  source.emit('SIGTERM');
  t.strictSame(asked, ['orderly SIGTERM', 'at once SIGINT', 'at once SIGTERM']);
  unsubscribe();
  t.equal(source.listenerCount('SIGTERM') + source.listenerCount('SIGINT'), 0);
});

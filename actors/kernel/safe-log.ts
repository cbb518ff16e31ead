/** A log whose sink may fail (a full disk, a closed pipe) without stopping whoever writes to it: the line is lost, nothing else. */
import type { Log, LogFields } from '../ports/log.ts';

export function safeLog(log: Log): Log {
  const write = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) => {
    try {
      log[level](message, fields);
    } catch {
      // Where it could be said, saying it has just failed.
    }
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => safeLog(log.child(fields)),
  };
}

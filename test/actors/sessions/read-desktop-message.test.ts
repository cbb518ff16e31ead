import t from 'tap';
import { readDesktopMessage } from '../../../actors/sessions/read-desktop-message.ts';

const good: readonly object[] = [
  { type: 'resume', epoch: 'e', seq: 0 },
  { type: 'resume', epoch: 'e'.repeat(4096), seq: Number.MAX_SAFE_INTEGER },
  { type: 'ack', seq: 1 },
  { type: 'refresh', access_token: 'a' },
  { type: 'time_sync', t0: -1.5 },
  { type: 'time_sync', t0: 0 },
  { type: 'ping' },
];
for (const message of good) {
  const shown = JSON.stringify(message).slice(0, 60);
  t.test(`${shown} is a message`, async (t) => t.equal(readDesktopMessage(message), message));
}

const wrong: Readonly<Record<string, readonly [frame: unknown, says: RegExp]>> = {
  'a text': ['ping', /object with a type/],
  nothing: [null, /object with a type/],
  'no value': [undefined, /object with a type/],
  'a list': [[{ type: 'ping' }], /object with a type/],
  'no type': [{ seq: 1 }, /unknown/],
  'a type that is no text': [{ type: 1 }, /unknown/],
  'an unknown type': [{ type: 'shout' }, /unknown/],
  'a type that every object has': [{ type: 'toString' }, /unknown/],
  'a field too many': [{ type: 'ping', seq: 1 }, /too many/],
  'a field that every object has': [{ type: 'ping', valueOf: 1 }, /too many/],
  'a missing number': [{ type: 'ack' }, /seq of ack/],
  'a negative number': [{ type: 'ack', seq: -1 }, /seq of ack/],
  'half a number': [{ type: 'ack', seq: 0.5 }, /seq of ack/],
  'a number as text': [{ type: 'ack', seq: '1' }, /seq of ack/],
  'a number beyond what can be counted': [{ type: 'ack', seq: 2 ** 53 }, /seq of ack/],
  'an empty text': [{ type: 'refresh', access_token: '' }, /access_token of refresh/],
  'a text of 4097 characters': [{ type: 'refresh', access_token: 'x'.repeat(4097) }, /access_token of refresh/],
  'a number where a text stands': [{ type: 'refresh', access_token: 5 }, /access_token of refresh/],
  'a wrong second field': [{ type: 'resume', epoch: 5, seq: 1 }, /epoch of resume/],
  'no time': [{ type: 'time_sync', t0: NaN }, /t0 of time_sync/],
  'an endless time': [{ type: 'time_sync', t0: Infinity }, /t0 of time_sync/],
};
for (const [name, [frame, says]] of Object.entries(wrong)) {
  t.test(`${name} is refused with a sentence`, async (t) => t.match(readDesktopMessage(frame), says));
}

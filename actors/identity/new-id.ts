/** Ids of everything that is counted, charged or traced: UUIDv7 (RFC 9562 §5.7), which sort by the time they were made. */
import { randomFillSync } from 'node:crypto';

/** Filled at once: asking the system for the random bytes of one id takes longer than everything else about it. */
const pool = new Uint8Array(4096);
const RANDOM_BYTES = 16;
let used = pool.length;
let lastMs = 0;
let sequence = 0;
/** The id as it is sent; what changes with each is written over it. */
const text = Buffer.from('00000000-0000-7000-8000-000000000000', 'latin1');
const DIGITS = Buffer.from('0123456789abcdef', 'latin1');
const TIME_AT = [11, 9, 6, 4, 2, 0];
const NODE_AT = [26, 28, 30, 32, 34];

/** A new id. Sorts after every one that this process made before, within a millisecond as well. */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const from = used;
  used += RANDOM_BYTES;
  // eslint-disable-next-line no-restricted-properties -- the machine's time, as in every UUIDv7: under the clock of a test, ids would repeat.
  const nowMs = Date.now();
  if (nowMs > lastMs) {
    setTime(nowMs);
    // Half of the range stays free for what follows in this millisecond.
    sequence = ((random(from) << 24) | (random(from + 1) << 16) | (random(from + 2) << 8) | random(from + 3)) >>> 1;
  } else {
    sequence = (sequence + 1) >>> 0;
    if (sequence === 0) setTime(lastMs + 1);
  }
  // Between the bits of version and variant, which are given: a counter of 32 bits (RFC 9562 §6.2, method 1), then chance.
  write(14, 0x70 | (sequence >>> 28));
  write(16, (sequence >>> 20) & 0xff);
  write(19, 0x80 | ((sequence >>> 14) & 0x3f));
  write(21, (sequence >>> 6) & 0xff);
  write(24, ((sequence << 2) & 0xff) | (random(from + 4) & 0x03));
  for (let at = 0; at < NODE_AT.length; at += 1) write(NODE_AT[at] ?? 0, random(from + 5 + at));
  return text.toString('latin1');
}

const random = (at: number): number => pool[at] ?? 0;

function setTime(ms: number): void {
  lastMs = ms;
  let rest = ms;
  for (const at of TIME_AT) {
    write(at, rest & 0xff);
    rest = Math.floor(rest / 0x100);
  }
}

function write(at: number, byte: number): void {
  text[at] = DIGITS[byte >>> 4] ?? 0;
  text[at + 1] = DIGITS[byte & 0x0f] ?? 0;
}

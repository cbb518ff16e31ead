/** Decides what a decoded frame from a desktop says. Unknown types and fields are errors here as in every body that we take. */
import type { DesktopMessage } from './desktop-protocol.ts';

type Check = (value: unknown) => boolean;

const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const shortText: Check = (value) => typeof value === 'string' && value.length > 0 && value.length <= 4096;
const number: Check = (value) => typeof value === 'number' && Number.isFinite(value);

const FIELDS: { readonly [T in DesktopMessage['type']]: Readonly<Record<string, Check>> } = {
  resume: { epoch: shortText, seq: count },
  ack: { seq: count },
  refresh: { access_token: shortText },
  time_sync: { t0: number },
  ping: {},
};

/** Returns the message, or one sentence on what is wrong with it; the sentence quotes no value. */
export function readDesktopMessage(frame: unknown): DesktopMessage | string {
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) return 'A message is an object with a type.';
  const { type, ...fields } = frame as Record<string, unknown>;
  if (typeof type !== 'string' || !Object.hasOwn(FIELDS, type)) return 'This type of message is unknown.';
  const expected = FIELDS[type as DesktopMessage['type']];
  for (const name of Object.keys(fields)) {
    if (!Object.hasOwn(expected, name)) return `A message of type ${type} has a field too many.`;
  }
  for (const [name, check] of Object.entries(expected)) {
    if (!check(fields[name])) return `The field ${name} of ${type} is missing or wrong.`;
  }
  return frame as DesktopMessage;
}

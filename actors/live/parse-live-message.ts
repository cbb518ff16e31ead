/** Decides what a text frame from a desktop says. Unknown types and fields are errors here as in every body that we take. */
import type { LiveClientMessage } from './live-protocol.ts';

const TYPES: ReadonlySet<unknown> = new Set<LiveClientMessage['type']>(['commit', 'end']);

/** Undefined where it says nothing that we know. */
export function parseLiveMessage(text: string): LiveClientMessage | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { type, ...more } = parsed as { readonly type?: unknown };
  return TYPES.has(type) && Object.keys(more).length === 0 ? (parsed as LiveClientMessage) : undefined;
}

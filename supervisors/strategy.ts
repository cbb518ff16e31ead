/** Which siblings stop and start again with a failed child. Pure. */
import type { Strategy } from './child-spec.ts';

/** The positions, in start order, of the children that a restart of `failed` concerns, itself included. */
export function concernedBy(strategy: Strategy, failed: number, count: number): readonly number[] {
  if (strategy === 'oneForOne') return [failed];
  const first = strategy === 'oneForAll' ? 0 : failed;
  return Array.from({ length: count - first }, (_, offset) => first + offset);
}

/** Decides what a fingerprint means: new, known, a collision or blocked, and which grant it earns (contract §3.3, §3.4). Pure. */
import { COMPONENTS, type Component, type Strength } from './fingerprints.ts';

/** A piece of hardware some of whose components were reported again. */
export interface HardwareGroup {
  readonly hardwareId: string;
  /** Reported components that this hardware has under another key. */
  readonly components: readonly Component[];
  /** Accounts that were ever registered on it; deleting one does not make room. */
  readonly accounts: number;
  /** Registration grants that it has received. */
  readonly grants: number;
  readonly blockedByOperator: boolean;
}

export interface HardwareEvidence {
  /** Hardware of the presented key itself; undefined when the key is unknown. */
  readonly own: { readonly hardwareId: string; readonly blockedByOperator: boolean } | undefined;
  /** Hardware that shares at least one reported component under another key. */
  readonly groups: readonly HardwareGroup[];
}

export interface HardwareVerdict {
  readonly verdict: 'new' | 'known' | 'collision' | 'blocked';
  readonly blockedBy: 'rule' | 'operator' | undefined;
  readonly matches: readonly { readonly component: Component; readonly strength: Strength }[];
  /** The hardware to join; undefined for hardware not seen before. */
  readonly hardwareId: string | undefined;
  /** Number of the grant that a registration would get, from 1; undefined where it gets none. */
  readonly grantOrdinal: number | undefined;
  /** Whole credits that a registration would get. */
  readonly creditsOffer: number;
}

/** Strong components that must match one other piece of hardware for a collision. */
const COLLISION_STRONG_MATCHES = 2;

/** What the first registrations of one piece of hardware get; later ones get the last. */
const PROGRESSIVE_GRANTS = [5000, 1000, 500, 100] as const;

export function judgeHardware(evidence: HardwareEvidence, devicesPerHardware: number): HardwareVerdict {
  const names = [...new Set(evidence.groups.flatMap((group) => group.components))].sort();
  const matches = names.map((component) => ({ component, strength: COMPONENTS[component] }));
  const verdict = (
    verdict: HardwareVerdict['verdict'],
    more: Partial<Omit<HardwareVerdict, 'verdict' | 'matches'>> = {},
  ): HardwareVerdict => ({
    verdict,
    matches,
    blockedBy: undefined,
    hardwareId: undefined,
    grantOrdinal: undefined,
    creditsOffer: 0,
    ...more,
  });

  if (evidence.own !== undefined) {
    const { hardwareId, blockedByOperator } = evidence.own;
    return blockedByOperator
      ? verdict('blocked', { hardwareId, blockedBy: 'operator' })
      : verdict('known', { hardwareId });
  }
  const group = harshest(evidence.groups.filter((candidate) => strongMatches(candidate) >= COLLISION_STRONG_MATCHES));
  if (group === undefined) return verdict('new', { grantOrdinal: 1, creditsOffer: progressiveGrant(1) });
  const { hardwareId } = group;
  if (group.blockedByOperator) return verdict('blocked', { hardwareId, blockedBy: 'operator' });
  if (group.accounts >= devicesPerHardware) return verdict('blocked', { hardwareId, blockedBy: 'rule' });
  const grantOrdinal = group.grants + 1;
  return verdict('collision', { hardwareId, grantOrdinal, creditsOffer: progressiveGrant(grantOrdinal) });
}

/** Credits of the `ordinal`-th registration grant (from 1) of one piece of hardware. */
export function progressiveGrant(ordinal: number): number {
  return PROGRESSIVE_GRANTS[ordinal - 1] ?? PROGRESSIVE_GRANTS[PROGRESSIVE_GRANTS.length - 1] ?? 0;
}

const strongMatches = (group: HardwareGroup): number =>
  group.components.filter((component) => COMPONENTS[component] === 'strong').length;

/** Parts of two machines in one case must not choose the cheaper history of the two. */
function harshest(groups: readonly HardwareGroup[]): HardwareGroup | undefined {
  return groups.toSorted(
    (a, b) =>
      Number(b.blockedByOperator) - Number(a.blockedByOperator) ||
      b.accounts - a.accounts ||
      a.hardwareId.localeCompare(b.hardwareId),
  )[0];
}

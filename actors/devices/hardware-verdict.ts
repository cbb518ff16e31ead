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

export interface SharedPair {
  readonly components: readonly [Component, Component];
  /** Different values of `machine_id` beside this pair of values. */
  readonly machineIds: number;
}

export interface HardwareEvidence {
  /** Hardware of the presented key itself; undefined when the key is unknown. */
  readonly own: { readonly hardwareId: string; readonly blockedByOperator: boolean } | undefined;
  /** Hardware that shares at least one reported component under another key. */
  readonly groups: readonly HardwareGroup[];
  /** Pairs of reported strong components, `machine_id` in neither, that other keys have together. */
  readonly pairs: readonly SharedPair[];
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

/** A pair of values beside this many machine ids belongs to a model and not to a machine. Below the accounts that one machine may hold. */
const SHARED_FROM_MACHINE_IDS = 3;

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

  const group = harshest(evidence.groups.filter((candidate) => isSameMachine(candidate, evidence.pairs)));
  if (evidence.own !== undefined) {
    const { hardwareId, blockedByOperator } = evidence.own;
    // A key that came from elsewhere opens blocked hardware no more than a new one does.
    return blockedByOperator || group?.blockedByOperator === true
      ? verdict('blocked', { hardwareId, blockedBy: 'operator' })
      : verdict('known', { hardwareId });
  }
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

/**
 * A board's maker who numbers no boards gives one pair of values to thousands of machines. A third strong component, or the machine's
 * own id, still says that it is one machine.
 */
function isSameMachine(group: HardwareGroup, pairs: readonly SharedPair[]): boolean {
  const strong = group.components.filter((component) => COMPONENTS[component] === 'strong');
  if (strong.length !== COLLISION_STRONG_MATCHES) return strong.length > COLLISION_STRONG_MATCHES;
  return !pairs.some(
    ({ components, machineIds }) =>
      machineIds >= SHARED_FROM_MACHINE_IDS && components.every((component) => strong.includes(component)),
  );
}

/** Parts of two machines in one case must not choose the cheaper history of the two. */
function harshest(groups: readonly HardwareGroup[]): HardwareGroup | undefined {
  return groups.toSorted(
    (a, b) =>
      Number(b.blockedByOperator) - Number(a.blockedByOperator) ||
      b.accounts - a.accounts ||
      a.hardwareId.localeCompare(b.hardwareId),
  )[0];
}
